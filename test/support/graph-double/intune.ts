import { good, Refusal, type Answer } from './answers.ts'
import { contextOf, singleText, type Call } from './call.ts'
import type { Filter } from './filter.ts'
import { liesOf, listPage, selected } from './list.ts'

const maxPage = 1000

/** GET /deviceManagement/managedDevices */
export function managedDevices(call: Call): Answer {
  return devicePage(call, 'deviceManagement/managedDevices')
}

/** GET /users/{id}/managedDevices. A user whom nobody knows has no devices, if it is named by id. */
export function userManagedDevices(call: Call): Answer {
  const { tenant, ids } = call
  const { managedDevices: table, users } = tenant.tables
  const [name = ''] = ids
  const user = tenant.find('users', name)
  if (user === undefined && name.includes('@')) throw notFound(name)
  const userId = user === undefined ? name : users.text(user, 'id')
  const within = table
    .candidates('userId', userId)
    ?.filter((position) => table.text(position, 'userId').toLowerCase() === userId.toLowerCase())
  return devicePage(call, `users('${name}')/managedDevices`, within ?? [])
}

function devicePage(call: Call, context: string, within?: readonly number[]): Answer {
  const { behaviour, tenant } = call
  const { supported, emptyUserMatchesAll } = behaviour.filters
  const table = tenant.tables.managedDevices
  const ignored = (part: Filter): boolean => {
    if (!('property' in part)) return false
    const isEmptyUser = part.kind === 'compare' && part.property === 'userPrincipalName' && part.value === ''
    return (isEmptyUser && emptyUserMatchesAll) || !supported.includes(part.property)
  }
  return listPage({
    ...call,
    table,
    context,
    counts: 'page',
    defaultTop: maxPage,
    maxTop: maxPage,
    defaultProperties: [...table.properties],
    ignored,
    within,
    lies: liesOf(call),
  })
}

/** GET /deviceManagement/managedDevices/{id} */
export function managedDevice(call: Call): Answer {
  const table = call.tenant.tables.managedDevices
  const properties = selected(table, call.query, [...table.properties])
  return good(
    singleText(call, 'deviceManagement/managedDevices/$entity', table, positionOf(call), properties),
  )
}

/** GET /deviceManagement/managedDevices/{id}/deviceCompliancePolicyStates; one policy where the scenario has none. */
export function deviceCompliancePolicyStates(call: Call): Answer {
  const { scenario, tenant, ids } = call
  const [id = ''] = ids
  const state = tenant.tables.managedDevices.value(positionOf(call), 'complianceState') ?? null
  const usual = [
    {
      id: `policy-of-${id}`,
      displayName: 'Default',
      version: 1,
      platformType: 'all',
      state,
      settingCount: 1,
      settingStates: [],
    },
  ]
  const context = contextOf(call, `deviceManagement/managedDevices('${id}')/deviceCompliancePolicyStates`)
  return good(`${context},"value":${JSON.stringify(scenario.policyStates[id] ?? usual)}}`)
}

/** GET /deviceManagement/conditionalAccessSettings */
export function conditionalAccessSettings(call: Call): Answer {
  const context = contextOf(call, 'deviceManagement/conditionalAccessSettings/$entity')
  return good(`${context},${JSON.stringify(call.scenario.conditionalAccessSettings).slice(1)}`)
}

/** GET /beta/deviceManagement/exchangeOnPremisesPolicy */
export function exchangeOnPremisesPolicy(call: Call): Answer {
  const context = contextOf(call, 'deviceManagement/exchangeOnPremisesPolicy/$entity')
  return good(`${context},${JSON.stringify(call.scenario.exchangeOnPremisesPolicy).slice(1)}`)
}

/** A record that lists leave out is still there for this. */
function positionOf({ tenant, ids }: Call): number {
  const [id = ''] = ids
  const position = tenant.tables.managedDevices.positionOf(id)
  if (position === undefined) throw notFound(id)
  return position
}

function notFound(id: string): Refusal {
  return new Refusal(404, 'ResourceNotFound', `Not Found: '${id}'`)
}
