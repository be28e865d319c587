import t from 'tap'
import { compilePolicy } from '#policy/compile.ts'
import { wantingSettings } from '#policy/decide.ts'
import type { DeviceFacts } from '#policy/facts.ts'
import { policySchema } from '#policy/schema.ts'
import { usualFacts, usualRequest } from '../../support/policy-rows.ts'

const origin = { sources: ['file'], asOf: 0 }

function wanting(
  policy: object,
  device: DeviceFacts,
  groups: readonly string[] = ['staff'],
): readonly string[] {
  const facts = { ...usualFacts, user: { user: 'alice@example.com', groups }, device: { ...device, origin } }
  return wantingSettings(usualRequest, facts, compilePolicy(policySchema.parse(policy)), 0)
}

const basics = { name: 'basics', rules: { passcodeRequired: true, encryptionRequired: true } }

void t.test('names what is asked for and not there, or was never reported', async (t) => {
  const policy = { compliancePolicies: [basics] }
  t.strictSame(wanting(policy, { passcode: true, encrypted: true }), [])
  t.strictSame(wanting(policy, { passcode: false, encrypted: true }), ['passcodeRequired'])
  t.strictSame(wanting(policy, { passcode: false }), ['passcodeRequired', 'encryptionRequired'])
})

void t.test('also while a grace runs, and each setting once', async (t) => {
  const policy = {
    compliancePolicies: [
      { ...basics, graceDays: 3 },
      { name: 'version', rules: { minOsVersion: '18', passcodeRequired: true } },
    ],
  }
  const device = { platform: 'iOS', osVersion: '17.5.1', passcode: false, encrypted: true }
  t.strictSame(wanting(policy, device), ['passcodeRequired', 'minOsVersion'])
})

void t.test('not what is asked of others', async (t) => {
  const policy = { compliancePolicies: [{ ...basics, assignedGroups: ['sales'] }] }
  t.strictSame(wanting(policy, {}), [])
  t.strictSame(wanting(policy, {}, ['sales']), ['passcodeRequired', 'encryptionRequired'])
})

void t.test('a configuration policy counts where no compliance policy speaks', async (t) => {
  const policy = {
    compliancePolicies: [{ name: 'own', rules: { passcodeRequired: false } }],
    configurationPolicies: [basics],
  }
  t.strictSame(wanting(policy, { passcode: false, encrypted: false }), ['encryptionRequired'])
  t.strictSame(
    wanting({ configurationPolicies: [{ ...basics, assignedGroups: ['sales'] }] }, {}),
    [],
    'where it is assigned',
  )
})
