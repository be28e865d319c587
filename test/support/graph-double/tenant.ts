import blank from './blank-records.json' with { type: 'json' }
import { createChangeLog, type ChangeLog } from './change-log.ts'
import { generatedDevices } from './generated-devices.ts'
import { generatedDirectoryDevices } from './generated-directory-devices.ts'
import { generatedUsers } from './generated-users.ts'
import { createMemberships, type Member, type Memberships } from './membership.ts'
import { guids } from './mix.ts'
import type { Entity, Scenario } from './scenario.ts'
import { createTable, isSameText, nothingGenerated, type Table } from './table.ts'

/** The collections that the control endpoint changes. */
export const collectionNames = ['managedDevices', 'users', 'groups', 'directoryDevices'] as const
export type CollectionName = (typeof collectionNames)[number]

/** Everything that is in the tenant. */
export interface Tenant {
  readonly tables: Readonly<Record<CollectionName, Table>>
  readonly memberships: Memberships
  readonly changes: ChangeLog
  /** Completes a record that a scenario or the control endpoint names, and adds it; gives its position. */
  readonly add: (collection: CollectionName, entity: Entity) => number
  /** By UPN or id of a user, id or display name of a group, id of a directory device. */
  readonly memberOf: (name: string) => Member
  /** By id, UPN of a user, or display name of a group. */
  readonly find: (collection: CollectionName, name: string) => number | undefined
}

const idSalts: Readonly<Record<CollectionName, number>> = {
  managedDevices: 400,
  users: 402,
  groups: 404,
  directoryDevices: 406,
}

const memberTypes = [
  ['user', 'users'],
  ['group', 'groups'],
  ['device', 'directoryDevices'],
] as const

/** Builds the tenant of a scenario. @throws where a group has a member that is nowhere */
export function createTenant(scenario: Scenario): Tenant {
  const users = generatedUsers(scenario)
  const devices = generatedDevices(scenario, users)
  const tables: Tenant['tables'] = {
    managedDevices: createTable(devices),
    users: createTable(users),
    groups: createTable(nothingGenerated, ['id', ...Object.keys(blank.groups)]),
    directoryDevices: createTable(generatedDirectoryDevices(scenario, devices)),
  }
  const memberships = createMemberships(tables.users)
  const changes = createChangeLog()

  const find = (collection: CollectionName, name: string): number | undefined => {
    const table = tables[collection]
    const otherName = {
      users: 'userPrincipalName',
      groups: 'displayName',
      managedDevices: '',
      directoryDevices: '',
    }
    return table.positionOf(name) ?? positionOf(table, otherName[collection], name)
  }
  const memberOf = (name: string): Member => {
    for (const [type, collection] of memberTypes) {
      const position = find(collection, name)
      if (position !== undefined) return { type, id: tables[collection].text(position, 'id') }
    }
    throw new Error(`there is no user, group or device ${name}`)
  }

  const add = (collection: CollectionName, entity: Entity): number => {
    const table = tables[collection]
    const id = guids(scenario.generated.seed, idSalts[collection]).at(table.end())
    const whole: Entity = { id, ...blank[collection], ...filledIn(collection, entity), ...entity }
    const position = table.add(whole)
    if (collection === 'groups') memberships.create(table.text(position, 'id'))
    return position
  }
  const filledIn = (collection: CollectionName, entity: Entity): Entity => {
    const name = entity['userPrincipalName']
    if (typeof name !== 'string') return {}
    if (collection === 'users') return { mail: name, displayName: name.split('@')[0] ?? '' }
    const position = collection === 'managedDevices' ? find('users', name) : undefined
    if (position === undefined) return {}
    return {
      userId: tables.users.value(position, 'id') ?? '',
      emailAddress: tables.users.value(position, 'mail') ?? '',
    }
  }

  for (const user of scenario.users) add('users', user)
  for (const device of scenario.managedDevices) add('managedDevices', device)
  for (const device of scenario.directoryDevices) add('directoryDevices', device)
  for (const { id, displayName, generatedUsers: range } of scenario.groups) {
    add('groups', { id, displayName })
    memberships.create(id, range)
  }
  for (const { id, members } of scenario.groups) {
    for (const name of members) memberships.add(id, memberOf(name))
  }
  return { tables, memberships, changes, add, memberOf, find }
}

function positionOf(table: Table, property: string, value: string): number | undefined {
  return table
    .candidates(property, value)
    ?.find((position) => isSameText(table.value(position, property), value))
}
