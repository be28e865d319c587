import * as fc from 'fast-check'
import t from 'tap'
import { createClientIdentifier, identifyClient } from '#eas/client/identify-client.ts'
import type { ClientClaims, ClientIdentity } from '#eas/client/identify-client.ts'
import { platforms } from '#eas/client/platform.ts'
import identities from '../../fixtures/clients/identities.json' with { type: 'json' }
import { readTsv } from '../../support/tsv.ts'

const sample = readTsv('clients', 'clients-sample.tsv')

const claimsOf = (row: Record<string, string>): ClientClaims => {
  const given = (name: string): string | undefined => (row[name] === '-' ? undefined : row[name])
  return { userAgent: given('User-Agent'), deviceType: given('DeviceType'), deviceId: given('DeviceId') }
}

void t.test('tells platform, OS version and client of real requests', async (t) => {
  const columns = { platform: 'Platform', osVersion: 'OsVersion', client: 'ClientApp' } as const
  const misses: Record<keyof typeof columns, string[]> = { platform: [], osVersion: [], client: [] }
  for (const row of sample) {
    const identity = identifyClient(claimsOf(row))
    for (const key of ['platform', 'osVersion', 'client'] as const) {
      const expected = row[columns[key]] === '-' ? 'unknown' : row[columns[key]]
      if (identity[key] !== expected) {
        misses[key].push(`${Object.values(row).join(' | ')}: not ${expected} but ${identity[key]}`)
      }
    }
    t.equal(identity.contradiction, false, `no contradiction in ${Object.values(row).join(' | ')}`)
  }
  t.ok(sample.length >= 97)
  for (const [key, missed] of Object.entries(misses)) {
    for (const miss of missed) t.comment(`${key}: ${miss}`)
    t.ok(
      missed.length <= sample.length * 0.05,
      `${key}: right in ${sample.length - missed.length} of ${sample.length}`,
    )
  }
})

for (const [group, rows] of Object.entries(identities)) {
  void t.test(`identifies: ${group}`, async (t) => {
    for (const { claims, expected } of rows) t.match(identifyClient(claims), expected, JSON.stringify(claims))
  })
}

const hostileTexts = [
  'x'.repeat(1_000_000),
  `Apple-iPhone10C5/${'9'.repeat(1_000_000)}`,
  `SAMSUNG-${'SAMSUNG-'.repeat(100_000)}`,
  `Android/${'1.'.repeat(100_000)}-EAS-1`,
  `Nokia${'0/'.repeat(100_000)}`,
  `MSFT-WP/${'0.'.repeat(100_000)}`,
  `HTC-${'4D6F7869'.repeat(100_000)}`,
  '<script>alert(1)</script>',
  'Apple-iPhone\0/1504.100',
  '\0',
  '__proto__',
  'constructor',
  'toString',
  '\ud800',
  'ſamſung-SM/101.403',
]

void t.test('is neither broken nor slowed by hostile claims (T-52)', async (t) => {
  const startedAt = performance.now()
  for (const text of hostileTexts) {
    for (const claims of [
      { userAgent: text },
      { deviceType: text },
      { deviceId: text },
      {
        userAgent: text,
        deviceType: text,
        deviceId: text,
        information: { model: text, os: text, userAgent: text },
      },
    ]) {
      const identity = identifyClient(claims)
      t.ok(platforms.includes(identity.platform))
      t.ok(identity.model.length <= 128 && identity.osVersion.length <= 128)
    }
  }
  t.ok(performance.now() - startedAt < 1000, 'all of them in less than a second')
})

void t.test('is total, pure and closed in its words for any claims', async (t) => {
  const clients = new Set([...sample.map((row) => row['ClientApp']), 'unknown'])
  const realTexts = sample.flatMap((row) => Object.values(row))
  const text = fc.option(
    fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom(...realTexts)),
    {
      nil: undefined,
    },
  )
  const information = fc.option(
    fc.record(
      {
        model: fc.string(),
        os: fc.constantFrom('iOS 17.5.1 21F90', 'Android 13', '', 'x'),
        userAgent: fc.string(),
      },
      { requiredKeys: [] },
    ),
    { nil: undefined },
  )
  const remembered = createClientIdentifier({ max: 16 })
  fc.assert(
    fc.property(fc.record({ userAgent: text, deviceType: text, deviceId: text, information }), (claims) => {
      const identity = identifyClient(claims)
      t.ok(platforms.includes(identity.platform) && clients.has(identity.client))
      t.match(identity.osVersion, /^(?:unknown|\d+(?:\.\d+)*)$/)
      t.not(identity.model, '')
      if (identity.contradiction) t.equal(identity.platform, 'unknown')
      t.strictSame(remembered(claims), identity)
    }),
    { numRuns: 500 },
  )
})

void t.test('remembers claims apart, whatever stands in them', async (t) => {
  const identify = createClientIdentifier({ max: 100 })
  const claims: readonly ClientClaims[] = [
    { userAgent: 'Outlook-iOS-Android/1.0', deviceType: 'Outlook' },
    { userAgent: 'Outlook-iOS-Android/1.0","Outlook' },
    { userAgent: 'Outlook-iOS-Android/1.0', deviceId: 'Outlook' },
    { deviceType: 'Outlook', information: { userAgent: 'Outlook-iOS-Android/1.0', os: 'iOS 17.5.1' } },
    { deviceType: 'Outlook', information: { userAgent: 'Outlook-iOS-Android/1.0', model: 'iOS 17.5.1' } },
    ...sample.map(claimsOf),
  ]
  for (const round of ['first', 'again']) {
    for (const claim of claims)
      t.strictSame(identify(claim), identifyClient(claim), `${round} ${JSON.stringify(claim)}`)
  }
})

void t.test('remembers no more than asked, the last used', async (t) => {
  const identify = createClientIdentifier({ max: 2 })
  const ask = (deviceId: string): ClientIdentity => identify({ deviceType: 'iPhone', deviceId })
  const first = ask('ApplDEMOALICE1')
  t.equal(ask('ApplDEMOALICE1'), first, 'the same object while remembered')
  ask('ApplDEMOCAROL1')
  ask('ApplDEMODAVE01')
  t.not(ask('ApplDEMOALICE1'), first, 'forgotten after two others')
})
