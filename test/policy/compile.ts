import t from 'tap'
import { compilePolicy } from '#policy/compile.ts'
import { policySchema } from '#policy/schema.ts'

function compiled(policy: unknown) {
  return compilePolicy(policySchema.parse(policy))
}

void t.test('each service has its own rules, and both share the rest', async (t) => {
  const { onPremises, online } = compiled({
    conditionalAccess: { onPremises: { notEnrolled: 'block' }, online: { mode: 'report-only' } },
    deviceQuota: { perUser: 3 },
    onSourceUnavailable: { maxFactsAge: '1h' },
  })
  t.match(onPremises, { service: 'onPremises', notEnrolled: 'block', mode: 'enforce' })
  t.match(online, { service: 'online', notEnrolled: 'quarantine', mode: 'report-only' })
  for (const rules of [onPremises, online]) {
    t.match(rules, { deviceQuota: { perUser: 3 }, onSourceUnavailable: { maxFactsAge: 3_600_000 } })
  }
})

void t.test(
  'device rules stand in the order of the question: block, quarantine, allow; exceptions first',
  async (t) => {
    const { onPremises, online } = compiled({
      conditionalAccess: {
        onPremises: {
          platformExceptions: [
            { platform: 'Android', action: 'allow' },
            { platform: 'Android', model: ['SM-*', 'GT-*'], action: 'block' },
            { model: 'iPhone 3G', action: 'quarantine' },
          ],
        },
      },
      deviceRules: [
        { name: 'a1', match: { os: 'iOS' }, action: 'allow' },
        { name: 'q1', match: { os: 'iOS' }, action: 'quarantine' },
        { name: 'b1', match: { os: 'iOS' }, action: 'block' },
        { name: 'b2', match: { os: 'iOS' }, action: 'block' },
      ],
    })
    t.strictSame(
      onPremises.deviceRules.map(({ label, action }) => `${action}: ${label}`),
      [
        'block: platform exception Android SM-* or GT-*',
        'block: b1',
        'block: b2',
        'quarantine: platform exception iPhone 3G',
        'quarantine: q1',
        'allow: platform exception Android',
        'allow: a1',
      ],
    )
    t.strictSame(
      online.deviceRules.map(({ label }) => label),
      ['b1', 'b2', 'q1', 'a1'],
    )
  },
)

void t.test('an unknown version fits rules that refuse, unless they say otherwise', async (t) => {
  const match = { osVersion: 'ios < 17' }
  const { deviceRules } = compiled({
    deviceRules: [
      { name: 'b', match, action: 'block' },
      { name: 'q', match, action: 'quarantine' },
      { name: 'q not', match, action: 'quarantine', unknownVersionFits: false },
      { name: 'a', match, action: 'allow' },
      { name: 'a too', match, action: 'allow', unknownVersionFits: true },
    ],
  }).onPremises
  t.strictSame(Object.fromEntries(deviceRules.map((rule) => [rule.label, rule.match.unknownVersionFits])), {
    b: true,
    q: true,
    'q not': false,
    a: false,
    'a too': true,
  })
})

void t.test(
  'the compliant go before rules where the default refuses, and online (facts.md 1.1, 1.2)',
  async (t) => {
    const cases: readonly (readonly [rules: object, onPremises: boolean, online: boolean])[] = [
      [{}, false, true],
      [{ defaultAccess: 'block' }, true, true],
      [{ defaultAccess: 'quarantine' }, true, true],
      [{ defaultAccess: 'block', compliantBeatsPlatformRule: false }, false, false],
      [{ defaultAccess: 'allow', compliantBeatsPlatformRule: true }, true, true],
    ]
    for (const [rules, onPremises, online] of cases) {
      const policy = compiled({ conditionalAccess: { onPremises: rules, online: rules } })
      t.equal(policy.onPremises.compliantBeatsPlatformRule, onPremises, JSON.stringify(rules))
      t.equal(policy.online.compliantBeatsPlatformRule, online, JSON.stringify(rules))
    }
  },
)

void t.test('every group has one place, wherever it is named', async (t) => {
  const { onPremises, online } = compiled({
    conditionalAccess: {
      onPremises: { targetedGroups: ['all-users', 'sales'], exemptedGroups: ['board', 'Sales'] },
      online: { targetedGroups: ['cloud'] },
    },
    compliancePolicies: [
      { name: 'c', assignedGroups: ['travel', 'board'], rules: { passcodeRequired: true } },
    ],
    configurationPolicies: [{ name: 'f', rules: { passcodeRequired: true } }],
  })
  t.strictSame([...onPremises.groupPlaces.keys()], ['sales', 'board', 'travel'])
  t.strictSame([...online.groupPlaces.keys()], ['cloud', 'travel', 'board'])
  t.match(onPremises.targetedGroups, { everybody: true, places: [0] })
  t.match(onPremises.exemptedGroups, { everybody: false, places: [1, 0] })
  t.match(onPremises.compliancePolicies[0]?.groups, { everybody: false, places: [2, 1] })
  t.match(onPremises.configurationPolicies[0]?.groups, { everybody: true, places: [] })
})

void t.test('a policy asks what its rules name, and only compliance policies have grace', async (t) => {
  const { compliancePolicies, configurationPolicies } = compiled({
    compliancePolicies: [
      {
        name: 'c',
        rules: { maxCheckInDays: 30, passcodeRequired: true, minOsVersion: '17.4' },
        graceDays: 3,
      },
    ],
    configurationPolicies: [{ name: 'f', platforms: ['iPadOS'], rules: { passcodeRequired: false } }],
  }).online
  t.match(compliancePolicies, [{ name: 'c', graceDays: 3, platforms: [] }])
  t.match(configurationPolicies, [{ name: 'f', graceDays: 0, platforms: ['iOS'] }])
  t.strictSame(
    compliancePolicies[0]?.checks.map(({ wanted }) => wanted),
    ['passcodeRequired: true', 'minOsVersion: 17.4', 'maxCheckInDays: 30'],
  )
  const bits = compliancePolicies[0]?.checks.map(({ bit }) => bit) ?? []
  t.equal(
    compliancePolicies[0]?.settings,
    bits.reduce((sum, bit) => sum + bit, 0),
    'one bit a setting',
  )
  t.equal(configurationPolicies[0]?.settings, bits[0], 'the same bit for the same setting')
})
