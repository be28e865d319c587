/** A service of Graph, with a budget of its own. */
export type GraphService = 'intune' | 'directory'

/** What is known of a call before it is made. */
export interface GraphCall {
  readonly service: GraphService
  /** What it costs of the service's budget, $select taken into account. facts.md 5, Throttling */
  readonly units: number
  /** Application permissions that it needs, the least ones. */
  readonly permissions: readonly string[]
  /** What it reads, for messages. */
  readonly subject: string
}

const managedDevices = {
  service: 'intune',
  units: 1,
  permissions: ['DeviceManagementManagedDevices.Read.All'],
  subject: 'managed devices',
} as const
const users = {
  service: 'directory',
  units: 1,
  permissions: ['User.Read.All'],
  subject: 'users',
} as const
const groups = {
  service: 'directory',
  units: 1,
  permissions: ['GroupMember.Read.All'],
  subject: 'groups',
} as const

/** Every call that the Intune source makes. */
export const graphCalls = {
  managedDevices,
  users,
  groups,
  groupsDelta: groups,
  // without User.Read.All, members are ids without a name
  members: {
    ...groups,
    units: 4,
    permissions: ['GroupMember.Read.All', 'User.Read.All'],
    subject: 'members of groups',
  },
  checkMemberGroups: {
    ...groups,
    units: 4,
    permissions: ['User.Read.All', 'GroupMember.Read.All'],
    subject: 'groups of a user',
  },
  devicesDelta: {
    service: 'directory',
    units: 1,
    permissions: ['Device.Read.All'],
    subject: 'directory devices',
  },
} as const satisfies Record<string, GraphCall>
