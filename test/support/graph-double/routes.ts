import type { Answer, Service } from './answers.ts'
import type { Call } from './call.ts'
import { delta } from './delta.ts'
import { checkMemberGroups, list, single, transitiveMemberOf, transitiveMembers } from './directory.ts'
import {
  conditionalAccessSettings,
  deviceCompliancePolicyStates,
  exchangeOnPremisesPolicy,
  managedDevice,
  managedDevices,
  userManagedDevices,
} from './intune.ts'
import type { Query } from './query.ts'
import type { RouteName } from './scenario.ts'

/** One call of Graph. */
export interface Route {
  readonly name: RouteName
  readonly method: 'GET' | 'POST'
  readonly service: Service
  /** Of the path behind the version; `*` is an id. */
  readonly pattern: string
  /** Default: v1.0 and beta. */
  readonly api?: 'beta'
  /** All of these, each by itself or by one that holds it. */
  readonly permissions: readonly (readonly string[])[]
  /** Units that it costs before what the query changes. Intune counts calls. */
  readonly cost: number
  readonly answer: (call: Call) => Answer
}

const managedDevicesPermission = [
  'DeviceManagementManagedDevices.Read.All',
  'DeviceManagementManagedDevices.ReadWrite.All',
]
const configurationPermission = [
  'DeviceManagementConfiguration.Read.All',
  'DeviceManagementConfiguration.ReadWrite.All',
]
const servicePermission = [
  'DeviceManagementServiceConfig.Read.All',
  'DeviceManagementServiceConfig.ReadWrite.All',
]
const usersPermission = ['User.Read.All', 'User.ReadWrite.All', 'Directory.Read.All']
const groupsPermission = ['GroupMember.Read.All', 'Group.Read.All', 'Directory.Read.All']
const devicesPermission = ['Device.Read.All', 'Device.ReadWrite.All', 'Directory.Read.All']

const intune = { method: 'GET', service: 'intune', cost: 1 } as const
const directory = { method: 'GET', service: 'directory' } as const

const routes: readonly Route[] = [
  {
    ...intune,
    name: 'managedDevices',
    pattern: 'deviceManagement/managedDevices',
    permissions: [managedDevicesPermission],
    answer: managedDevices,
  },
  {
    ...intune,
    name: 'managedDevice',
    pattern: 'deviceManagement/managedDevices/*',
    permissions: [managedDevicesPermission],
    answer: managedDevice,
  },
  {
    ...intune,
    name: 'deviceCompliancePolicyStates',
    pattern: 'deviceManagement/managedDevices/*/deviceCompliancePolicyStates',
    permissions: [[...managedDevicesPermission, ...configurationPermission]],
    answer: deviceCompliancePolicyStates,
  },
  {
    ...intune,
    name: 'userManagedDevices',
    pattern: 'users/*/managedDevices',
    permissions: [managedDevicesPermission],
    answer: userManagedDevices,
  },
  {
    ...intune,
    name: 'conditionalAccessSettings',
    pattern: 'deviceManagement/conditionalAccessSettings',
    permissions: [servicePermission],
    answer: conditionalAccessSettings,
  },
  {
    ...intune,
    name: 'exchangeOnPremisesPolicy',
    pattern: 'deviceManagement/exchangeOnPremisesPolicy',
    api: 'beta',
    permissions: [servicePermission],
    answer: exchangeOnPremisesPolicy,
  },
  {
    ...directory,
    name: 'users',
    pattern: 'users',
    cost: 2,
    permissions: [usersPermission],
    answer: list('users'),
  },
  {
    ...directory,
    name: 'user',
    pattern: 'users/*',
    cost: 1,
    permissions: [usersPermission],
    answer: single('users'),
  },
  ...['', '/microsoft.graph.group'].map((cast): Route => ({
    ...directory,
    name: 'transitiveMemberOf',
    pattern: `users/*/transitiveMemberOf${cast}`,
    cost: 2,
    permissions: [usersPermission, groupsPermission],
    answer: transitiveMemberOf,
  })),
  {
    ...directory,
    name: 'checkMemberGroups',
    method: 'POST',
    pattern: 'users/*/checkMemberGroups',
    cost: 4,
    permissions: [usersPermission, groupsPermission],
    answer: checkMemberGroups,
  },
  {
    ...directory,
    name: 'groupsDelta',
    pattern: 'groups/delta',
    cost: 1,
    permissions: [groupsPermission],
    answer: delta('groups'),
  },
  {
    ...directory,
    name: 'groups',
    pattern: 'groups',
    cost: 1,
    permissions: [groupsPermission],
    answer: list('groups'),
  },
  {
    ...directory,
    name: 'group',
    pattern: 'groups/*',
    cost: 1,
    permissions: [groupsPermission],
    answer: single('groups'),
  },
  ...['', '/microsoft.graph.user', '/microsoft.graph.group', '/microsoft.graph.device'].map(
    (cast): Route => ({
      ...directory,
      name: 'transitiveMembers',
      pattern: `groups/*/transitiveMembers${cast}`,
      cost: 5,
      permissions: [groupsPermission],
      answer: transitiveMembers,
    }),
  ),
  {
    ...directory,
    name: 'devicesDelta',
    pattern: 'devices/delta',
    cost: 1,
    permissions: [devicesPermission],
    answer: delta('devices'),
  },
  {
    ...directory,
    name: 'devices',
    pattern: 'devices',
    cost: 1,
    permissions: [devicesPermission],
    answer: list('directoryDevices'),
  },
  {
    ...directory,
    name: 'device',
    pattern: 'devices/*',
    cost: 1,
    permissions: [devicesPermission],
    answer: single('directoryDevices'),
  },
]

/** The route of a path, with the ids in it; undefined where Graph has nothing. Ids may stand as `/id` or `('id')`. */
export function findRoute(
  method: string,
  path: string,
): { route: Route; ids: readonly string[] } | undefined {
  const [, api, rest = ''] = /^\/(v1\.0|beta)\/(.+)$/.exec(path) ?? []
  const segments = rest
    .replaceAll(/\('([^']*)'\)/g, '/$1')
    .replace(/\/microsoft\.graph\.delta(?:\(\))?$/, '/delta')
    .replace(/\/delta\(\)$/, '/delta')
    .split('/')
  const isMatch = ({ pattern, ...route }: Route): boolean => {
    const wanted = pattern.split('/')
    if (route.method !== method || (route.api !== undefined && route.api !== api)) return false
    return (
      wanted.length === segments.length && wanted.every((part, at) => part === '*' || part === segments[at])
    )
  }
  const route = api === undefined ? undefined : routes.find(isMatch)
  if (route === undefined) return undefined
  const parts = route.pattern.split('/')
  return { route, ids: segments.filter((_, at) => parts[at] === '*').map(decodeURIComponent) }
}

/** Units of a call: less with $select and for a small page, never below 1. */
export function costOf({ cost }: Route, { select, top }: Query): number {
  const saved = (select === undefined ? 0 : 1) + (top !== undefined && top < 20 ? 1 : 0)
  return Math.max(1, cost - saved)
}
