import t from 'tap'
import { policySchema } from '#policy/schema.ts'

const closed = {
  mode: 'enforce',
  targetedGroups: ['all-users'],
  exemptedGroups: [],
  rollout: 1,
  notEnrolled: 'quarantine',
  notActivated: 'quarantine',
  notRegistered: 'quarantine',
  noncompliant: 'block',
  complianceUnknown: 'quarantine',
  postureUnknown: 'quarantine',
  configManagerMeans: 'unknown',
  unsupportedPlatforms: 'block',
  platformExceptions: [],
  defaultAccess: 'allow',
  overrideDefaultRule: true,
}
const onPremises = {
  ...closed,
  requireRegistration: false,
  windows: 'compliant',
  blockedClients: ['Outlook mobile'],
}
const online = { ...closed, requireRegistration: true, windows: 'either', blockedClients: [] }

void t.test('an empty policy judges everybody, on-premises and online', async (t) => {
  for (const empty of [
    {},
    { conditionalAccess: {} },
    { conditionalAccess: { onPremises: {}, online: {} } },
  ]) {
    t.strictSame(policySchema.parse(empty), {
      conditionalAccess: { onPremises, online },
      compliancePolicies: [],
      configurationPolicies: [],
      deviceRules: [],
      onSourceUnavailable: { knownDevice: 'unavailable', unknownDevice: 'unavailable' },
      maxNewRefusals: 0.2,
    })
  }
})

void t.test('group names are matched in lower case', (t) => {
  const { onPremises } = policySchema.parse({
    conditionalAccess: { onPremises: { targetedGroups: ['All-Users'], exemptedGroups: ['Executives'] } },
  }).conditionalAccess
  t.strictSame(onPremises.targetedGroups, ['all-users'])
  t.strictSame(onPremises.exemptedGroups, ['executives'])
  t.end()
})

void t.test('refuses what it does not know, at its path', (t) => {
  const faults: readonly (readonly [rules: object, path: string])[] = [
    [{ targetGroups: [] }, ''],
    [{ mode: 'on' }, 'mode'],
    [{ mode: false }, 'mode'],
    [{ targetedGroups: 'all-users' }, 'targetedGroups'],
    [{ targetedGroups: [''] }, 'targetedGroups.0'],
    [{ exemptedGroups: null }, 'exemptedGroups'],
    [{ notEnrolled: 'allow' }, 'notEnrolled'],
    [{ notRegistered: 'allow' }, 'notRegistered'],
    [{ noncompliant: 'allow' }, 'noncompliant'],
    [{ defaultAccess: 'redirect' }, 'defaultAccess'],
    [{ overrideDefaultRule: 'yes' }, 'overrideDefaultRule'],
    [{ requireRegistration: 1 }, 'requireRegistration'],
  ]
  for (const [rules, path] of faults) {
    const parsed = policySchema.safeParse({ conditionalAccess: { online: rules } })
    const paths = parsed.error?.issues.map((issue) => issue.path.join('.'))
    t.strictSame(paths, [['conditionalAccess.online', path].filter(Boolean).join('.')], JSON.stringify(rules))
  }
  t.end()
})
