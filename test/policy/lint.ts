import t from 'tap'
import { groupsOf, lintPolicy } from '#policy/lint.ts'
import { policySchema } from '#policy/schema.ts'
import rows from '../fixtures/policy/lint.json' with { type: 'json' }

const now = Date.UTC(2026, 10, 1)

for (const { name, policy, found } of rows) {
  void t.test(name, async (t) => {
    const findings = lintPolicy(policySchema.parse(policy), now)
    t.strictSame(
      findings.map(({ severity, path, message }) => `${severity} ${path.join('.')}: ${message}`),
      found,
    )
  })
}

void t.test('names every group of the policy and where it stands', async (t) => {
  const policy = policySchema.parse({
    conditionalAccess: {
      onPremises: { targetedGroups: ['all-users', 'Sales'], exemptedGroups: ['executives'] },
      online: { targetedGroups: ['pilots'] },
    },
    compliancePolicies: [
      { name: 'a', assignedGroups: ['all-users', 'staff'], rules: { passcodeRequired: true } },
    ],
    configurationPolicies: [{ name: 'b', assignedGroups: ['kiosk'], rules: { encryptionRequired: true } }],
  })
  t.strictSame(
    groupsOf(policy).map(({ name, path }) => `${path.join('.')} ${name}`),
    [
      'conditionalAccess.onPremises.targetedGroups.1 sales',
      'conditionalAccess.onPremises.exemptedGroups.0 executives',
      'conditionalAccess.online.targetedGroups.0 pilots',
      'compliancePolicies.0.assignedGroups.1 staff',
      'configurationPolicies.0.assignedGroups.0 kiosk',
    ],
  )
})
