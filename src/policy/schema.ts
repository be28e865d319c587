import { z } from 'zod'
import { conditionalAccess, onSourceUnavailable } from './schema/access-rules.ts'
import { compliancePolicy, configurationPolicy } from './schema/compliance-policies.ts'
import { deviceQuota, deviceRule } from './schema/device-rules.ts'
import { share } from './schema/values.ts'

/** Names are how explain tells one rule from another. */
function uniquelyNamed<Entry extends { readonly name: string }>(entries: z.ZodType<Entry[]>) {
  return entries.superRefine((list, context) => {
    const names = list.map(({ name }) => name.toLowerCase())
    names.forEach((name, index) => {
      if (names.indexOf(name) === index) return
      context.addIssue({ code: 'custom', path: [index, 'name'], message: 'another one has this name' })
    })
  })
}

/** The policy file. Unknown keys are faults. */
export const policySchema = z.strictObject({
  conditionalAccess: conditionalAccess.prefault({}),
  compliancePolicies: uniquelyNamed(z.array(compliancePolicy)).default([]),
  configurationPolicies: uniquelyNamed(z.array(configurationPolicy)).default([]),
  deviceRules: uniquelyNamed(z.array(deviceRule)).default([]),
  deviceQuota: deviceQuota.optional(),
  onSourceUnavailable: onSourceUnavailable.prefault({}),
  /** A change that newly refuses more than this share of the devices seen in 24 h waits for an operator's word. */
  maxNewRefusals: share.default(0.2),
})

/** The policy as read and checked. `compilePolicy` makes of it what `decide` takes. */
export type Policy = z.infer<typeof policySchema>

/** One service's part of it. */
export type AccessRules = Policy['conditionalAccess']['onPremises']

export type CompliancePolicy = Policy['compliancePolicies'][number]
export type PostureRules = CompliancePolicy['rules']
export type DeviceRule = Policy['deviceRules'][number]

/** Which part of the policy a backend is judged by. */
export type Service = keyof Policy['conditionalAccess']
