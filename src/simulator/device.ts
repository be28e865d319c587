import type { WbxmlElement } from '#eas/wbxml/element.ts'
import type { CollectionState } from './sync-state.ts'
import type { Hold } from './hold.ts'

/** The partnership of one device with one mailbox, and everything the server remembers of it. */
export interface Device {
  /** As the device first spelled it; partnerships are found without case. */
  readonly deviceId: string
  readonly deviceType: string
  /** The final key of a finished Provision. */
  policyKey: number | undefined
  /** Given out in the first phase, not yet acknowledged. */
  temporaryPolicyKey: number | undefined
  /** DeviceInformation by element name: Model, OS, … */
  information: Readonly<Record<string, string>>
  wipeRequested: boolean
  hierarchy: HierarchyState | undefined
  readonly collections: Map<string, CollectionState>
  /** The last full Sync request without its commands, for empty and partial ones (protocol.md section 10). */
  storedSync: WbxmlElement | undefined
  /** What the last full Ping asked for (protocol.md section 10). */
  storedPing: PingParameters
  /** ClientIds of mail already sent, so that a repeated SendMail is not sent twice. */
  readonly sentClientIds: Set<string>
  readonly holds: Set<Hold>
}

/** The folder tree as the client has it: folder id to a text that changes when the folder does. */
export interface HierarchyState {
  readonly key: string
  readonly known: ReadonlyMap<string, string>
  /** The key before and what was answered to it, for a client that lost the answer. */
  readonly previous: { readonly key: string; readonly answer: WbxmlElement } | undefined
}

/** Both may be left out once the server has them. */
export interface PingParameters {
  readonly heartbeatSeconds: number | undefined
  readonly folderIds: readonly string[] | undefined
}

export function createDevice(deviceId: string, deviceType: string): Device {
  return {
    deviceId,
    deviceType,
    policyKey: undefined,
    temporaryPolicyKey: undefined,
    information: {},
    wipeRequested: false,
    hierarchy: undefined,
    collections: new Map(),
    storedSync: undefined,
    storedPing: { heartbeatSeconds: undefined, folderIds: undefined },
    sentClientIds: new Set(),
    holds: new Set(),
  }
}
