import type { DeviceRule } from './schema.ts'

const order: readonly DeviceRule['action'][] = ['block', 'quarantine', 'allow']

/** Exchange asks rules that block first, then those that quarantine, then those that allow. facts.md 6 steps 6 to 8 */
export function ruleOrder(action: DeviceRule['action']): number {
  return order.indexOf(action)
}
