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
import {
  readConfiguration,
  readDevices,
  readManagedDevices,
  readMembers,
  readServiceConfig,
  readUsers,
  type AnyOf,
} from './permissions.ts'
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
  /** All of these. */
  readonly permissions: readonly AnyOf[]
  /** Units that it costs before what the query changes. Intune counts calls. */
  readonly cost: number
  readonly answer: (call: Call) => Answer
}

const intune = { method: 'GET', service: 'intune', cost: 1 } as const
const directory = { method: 'GET', service: 'directory' } as const

const routes: readonly Route[] = [
  {
    ...intune,
    name: 'managedDevices',
    pattern: 'deviceManagement/managedDevices',
    permissions: [readManagedDevices],
    answer: managedDevices,
  },
  {
    ...intune,
    name: 'managedDevice',
    pattern: 'deviceManagement/managedDevices/*',
    permissions: [readManagedDevices],
    answer: managedDevice,
  },
  {
    ...intune,
    name: 'deviceCompliancePolicyStates',
    pattern: 'deviceManagement/managedDevices/*/deviceCompliancePolicyStates',
    permissions: [[...readManagedDevices, ...readConfiguration]],
    answer: deviceCompliancePolicyStates,
  },
  {
    ...intune,
    name: 'userManagedDevices',
    pattern: 'users/*/managedDevices',
    permissions: [readManagedDevices],
    answer: userManagedDevices,
  },
  {
    ...intune,
    name: 'conditionalAccessSettings',
    pattern: 'deviceManagement/conditionalAccessSettings',
    permissions: [readServiceConfig],
    answer: conditionalAccessSettings,
  },
  {
    ...intune,
    name: 'exchangeOnPremisesPolicy',
    pattern: 'deviceManagement/exchangeOnPremisesPolicy',
    api: 'beta',
    permissions: [readServiceConfig],
    answer: exchangeOnPremisesPolicy,
  },
  {
    ...directory,
    name: 'users',
    pattern: 'users',
    cost: 2,
    permissions: [readUsers],
    answer: list('users'),
  },
  {
    ...directory,
    name: 'user',
    pattern: 'users/*',
    cost: 1,
    permissions: [readUsers],
    answer: single('users'),
  },
  ...['', '/microsoft.graph.group'].map((cast): Route => ({
    ...directory,
    name: 'transitiveMemberOf',
    pattern: `users/*/transitiveMemberOf${cast}`,
    cost: 2,
    permissions: [readUsers, readMembers],
    answer: transitiveMemberOf,
  })),
  {
    ...directory,
    name: 'checkMemberGroups',
    method: 'POST',
    pattern: 'users/*/checkMemberGroups',
    cost: 4,
    permissions: [readUsers, readMembers],
    answer: checkMemberGroups,
  },
  {
    ...directory,
    name: 'groupsDelta',
    pattern: 'groups/delta',
    cost: 1,
    permissions: [readMembers],
    answer: delta('groups'),
  },
  {
    ...directory,
    name: 'groups',
    pattern: 'groups',
    cost: 1,
    permissions: [readMembers],
    answer: list('groups'),
  },
  {
    ...directory,
    name: 'group',
    pattern: 'groups/*',
    cost: 1,
    permissions: [readMembers],
    answer: single('groups'),
  },
  ...['', '/microsoft.graph.user', '/microsoft.graph.group', '/microsoft.graph.device'].map(
    (cast): Route => ({
      ...directory,
      name: 'transitiveMembers',
      pattern: `groups/*/transitiveMembers${cast}`,
      cost: 5,
      permissions: [readMembers],
      answer: transitiveMembers,
    }),
  ),
  {
    ...directory,
    name: 'devicesDelta',
    pattern: 'devices/delta',
    cost: 1,
    permissions: [readDevices],
    answer: delta('devices'),
  },
  {
    ...directory,
    name: 'devices',
    pattern: 'devices',
    cost: 1,
    permissions: [readDevices],
    answer: list('directoryDevices'),
  },
  {
    ...directory,
    name: 'device',
    pattern: 'devices/*',
    cost: 1,
    permissions: [readDevices],
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
