/** What one thing needs: any of these application permissions, the least one first. */
export type AnyOf = readonly string[]

export const readManagedDevices: AnyOf = [
  'DeviceManagementManagedDevices.Read.All',
  'DeviceManagementManagedDevices.ReadWrite.All',
]
export const readConfiguration: AnyOf = [
  'DeviceManagementConfiguration.Read.All',
  'DeviceManagementConfiguration.ReadWrite.All',
]
export const readServiceConfig: AnyOf = [
  'DeviceManagementServiceConfig.Read.All',
  'DeviceManagementServiceConfig.ReadWrite.All',
]
export const readUsers: AnyOf = ['User.Read.All', 'User.ReadWrite.All', 'Directory.Read.All']
export const readMembers: AnyOf = ['GroupMember.Read.All', 'Group.Read.All', 'Directory.Read.All']
export const readDevices: AnyOf = ['Device.Read.All', 'Device.ReadWrite.All', 'Directory.Read.All']

export function holds(held: readonly string[], wanted: AnyOf): boolean {
  return wanted.some((name) => held.includes(name))
}
