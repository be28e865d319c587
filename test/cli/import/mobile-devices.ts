import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readExportCsv } from '#cli/import/export-csv.ts'
import { importMobileDevices } from '#cli/import/mobile-devices.ts'

const expected = { columns: ['DeviceId', 'DeviceAccessState', 'FirstSyncTime'], command: '' }
const bounds = { oldest: Date.parse('2025-06-01T00:00:00Z'), latest: Date.parse('2026-06-01T00:00:00Z') }

function imported(bytes: Uint8Array) {
  return importMobileDevices(readExportCsv(bytes, expected), bounds)
}

function fixture(file: string) {
  return imported(readFileSync(join(import.meta.dirname, '../../fixtures/cli/import', file)))
}

/** A row of the columns that a test names. */
function row(fields: Readonly<Record<string, string>>) {
  const all = {
    DeviceId: 'ApplA',
    DeviceAccessState: 'Allowed',
    FirstSyncTime: '2023-11-02 18:04:38',
    PrimarySmtpAddress: 'a@example.com',
    ...fields,
  }
  return imported(Buffer.from(`${quoted(Object.keys(all))}\n${quoted(Object.values(all))}\n`))
}

function quoted(cells: readonly string[]): string {
  return cells.map((cell) => `"${cell}"`).join(',')
}

void t.test('statistics of a German shell, in UTF-16', async (t) => {
  const { devices, findings } = fixture('statistics-utf16.csv')
  t.strictSame(devices, [
    {
      line: 3,
      device: {
        names: ['Alice@example.com'],
        deviceId: 'ApplALICE2',
        deviceType: 'iPhone',
        userAgent: 'Apple-iPhone15C2/2105.219',
        model: 'iPhone15C2',
        os: 'iOS 17.4.1 21E236',
        protocolVersion: '16.1',
        action: 'allow',
        firstSeenAt: '2023-11-02T18:04:38.000Z',
        lastSeenAt: '2026-05-30T09:00:00.000Z',
      },
    },
    {
      line: 4,
      device: {
        names: ['bob@example.com'],
        deviceId: 'SEC1234567890ABC',
        deviceType: 'SAMSUNGSMG991B',
        userAgent: 'SAMSUNG-SM-G991B/101.1300',
        model: 'SM-G991B',
        os: 'Android 13',
        protocolVersion: '16.1',
        action: 'block',
        reason: 'personal-block',
        firstSeenAt: '2023-11-22T06:04:38.000Z',
        lastSeenAt: '2026-05-29T09:00:00.000Z',
      },
    },
    {
      line: 5,
      device: {
        names: ['nobody@example.com'],
        deviceId: 'ApplNOBODY1',
        deviceType: 'iPad',
        userAgent: 'Apple-iPad13C1/2105.219',
        model: 'iPad13C1',
        os: 'iPadOS 17.4',
        protocolVersion: '16.1',
        action: 'quarantine',
        reason: 'device-rule',
        firstSeenAt: '2024-01-01T00:00:00.000Z',
        lastSeenAt: '2026-05-28T09:00:00.000Z',
      },
    },
    {
      line: 8,
      device: {
        names: ['carol@example.com'],
        deviceId: 'ApplCAROL9',
        deviceType: 'iPhone',
        userAgent: 'Apple-iPhone15C2/2105.219',
        protocolVersion: '16.1',
        action: 'allow',
        lastSeenAt: '2026-05-27T09:00:00.000Z',
      },
    },
  ])
  t.match(findings, [
    {
      kind: 'lost',
      line: 6,
      field: 'ClientType',
      message: '"0123456789ABCDEF0123456789ABCDEF" comes by "Outlook", not by ActiveSync',
    },
    {
      kind: 'lost',
      line: 7,
      field: 'LastSuccessSync',
      message: /^"ApplOLD1" was last seen 2019-02-01T00:00:00.000Z, longer ago than store.retention/,
    },
    { kind: 'note', line: 8, field: 'FirstSyncTime', message: /^"ApplCAROL9": there is none/ },
  ])
})

void t.test(
  'Get-MobileDevice alone names users as the directory may know them, and what is wrong',
  async (t) => {
    const { devices, findings } = fixture('mobile-devices-utf8.csv')
    t.strictSame(
      devices.map(({ device: { deviceId, names, lastSeenAt } }) => [deviceId, names, lastSeenAt]),
      [
        ['ApplZOE1', ['Zoë Müller'], '2026-05-30T09:00:00.000Z'],
        ['ApplADELE1', ['asmith'], '2026-05-30T09:00:00.000Z'],
      ],
    )
    t.match(findings, [
      { kind: 'lost', line: 5, field: 'DeviceId', message: '"Appl/X" is no EAS device id' },
      {
        kind: 'lost',
        line: 6,
        field: 'FirstSyncTime',
        message: /^"yesterday": this is no time that easgate can read/,
      },
      {
        kind: 'lost',
        line: 7,
        field: 'DeviceAccessState',
        message: 'expected Allowed, Blocked or Quarantined, found "Observed"',
      },
    ])
  },
)

void t.test('the login goes before every other name', async (t) => {
  const path = 'contoso.com/Users/Smith\\/Adele/ExchangeActiveSyncDevices/iPhone§ApplA'
  const names = (fields: Readonly<Record<string, string>>) => row(fields).devices[0]?.device.names
  const both = { UserPrincipalName: 'a@corp.example', Identity: path, UserDisplayName: 'Adele' }
  t.strictSame(names(both), ['a@corp.example', 'a@example.com'])
  t.strictSame(names({ ...both, UserPrincipalName: '' }), ['a@example.com'])
  t.strictSame(names({ ...both, UserPrincipalName: '', PrimarySmtpAddress: '' }), ['Smith/Adele', 'Adele'])
  t.match(row({ PrimarySmtpAddress: '' }), {
    devices: [],
    findings: [{ kind: 'lost', line: 2, message: '"ApplA": nobody is named whose it is' }],
  })
})

void t.test('the protocol version, where easgate knows it', async (t) => {
  for (const [fields, version] of [
    [{ ClientVersion: '14.1' }, '14.1'],
    [{ DeviceActiveSyncVersion: '16.1' }, '16.1'],
    [{ ClientVersion: '99.0' }, undefined],
    [{}, undefined],
  ] as const) {
    t.equal(row(fields).devices[0]?.device.protocolVersion, version)
  }
})

void t.test('what Exchange does with a device, and why', async (t) => {
  for (const [state, why, action, reason] of [
    ['Allowed', 'Individual', 'allow', 'personal-allow'],
    ['Allowed', 'DeviceRule', 'allow', 'device-rule'],
    ['blocked', 'Policy', 'block', undefined],
    ['Blocked', 'individual', 'block', 'personal-block'],
    ['Quarantined', 'Individual', 'quarantine', undefined],
    ['DeviceDiscovery', 'Global', 'quarantine', undefined],
    ['Unknown', '', 'quarantine', undefined],
  ] as const) {
    const [found] = row({ DeviceAccessState: state, DeviceAccessStateReason: why }).devices
    t.strictSame([found?.device.action, found?.device.reason], [action, reason], `${state}, ${why}`)
  }
})

void t.test('a time that can be read in two ways carries nothing over', async (t) => {
  t.match(row({ FirstSyncTime: '03/04/2023 10:00:00' }), {
    devices: [],
    findings: [
      { kind: 'lost', line: 2, field: 'FirstSyncTime', message: /the day may come first or the month/ },
    ],
  })
  const told = row({ FirstSyncTime: '03/04/2026 10:00:00', LastSuccessSync: '30/04/2026 10:00:00' })
  t.match(told.devices, [{ device: { firstSeenAt: '2026-04-03T10:00:00.000Z' } }])
  t.match(row({ LastSuccessSync: 'now' }).findings, [{ kind: 'lost', field: 'LastSuccessSync' }])
  t.match(row({ LastSyncAttemptTime: '2026-06-01 00:00:01' }), {
    devices: [],
    findings: [
      { kind: 'lost', field: 'LastSyncAttemptTime', message: '"2026-06-01 00:00:01": this is yet to come' },
    ],
  })
})
