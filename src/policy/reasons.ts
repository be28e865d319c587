/** What is done with a request. `unavailable` is a 503, `reject` a 400 or 404. */
export const actions = ['allow', 'block', 'quarantine', 'redirect', 'unavailable', 'reject'] as const
export type Action = (typeof actions)[number]

/** Why: the closed list that log, metrics, explain, console and the notice to the user share. */
export const reasons = [
  'not-targeted',
  'exempt',
  'compliant',
  'in-grace-period',
  'no-compliance-policy',
  'grandfathered',
  'not-in-rollout',
  'domain-joined',
  'unsupported-platform',
  'device-rule',
  'personal-allow',
  'personal-block',
  'default-access',
  'not-enrolled',
  'not-registered',
  'not-activated',
  'noncompliant',
  'compliance-unknown',
  'posture-unknown',
  'jailbroken',
  'wipe-pending',
  'owner-mismatch',
  'user-mismatch',
  'device-mismatch',
  'quota-exceeded',
  'protocol-too-old',
  'client-not-allowed',
  'source-unavailable',
  'facts-stale',
  'upstream-unavailable',
  'credentials-refused',
  'locked-out',
  'rate-limited',
  'overloaded',
  'malformed-request',
  'route-closed',
] as const
export type Reason = (typeof reasons)[number]

/** True for every action that keeps the request from Exchange. */
export function isRefusal(action: Action): boolean {
  return action !== 'allow'
}
