import { isOlder, type ProtocolVersion } from '#eas/versions.ts'
import { child, children, textOf, type QualifiedName, type WbxmlElement } from '#eas/wbxml/element.ts'
import { numberIn } from './body-choice.ts'
import { heartbeatBounds, waitBounds } from './heartbeat-bounds.ts'

/**
 * One Collection of a Sync request. WindowSize is not read: there is never more than one change in an answer. Nor is
 * FilterType: the message is as old as its quarantine.
 */
export interface CollectionRequest {
  readonly syncKey: string
  readonly collectionId: string
  /** As the request has it; answered up to 12.0. */
  readonly className: string | undefined
  readonly getChanges: boolean
  /** For mail; undefined where those sent last hold. */
  readonly options: WbxmlElement | undefined
  readonly commands: readonly WbxmlElement[]
}

/** A Sync request that can be done. */
export interface SyncRequest {
  readonly collections: readonly CollectionRequest[]
  /** Undefined: answer at once. */
  readonly waitSeconds: number | undefined
}

/** A fault that stands under Sync itself. shared/eas/protocol.md, section 9 */
export interface SyncFault {
  readonly status: number
  /** The bound that was missed. */
  readonly limit?: number
}

/** Bounds of shared/eas/protocol.md, section 10; the number of collections is ours. */
const maxCommands = 200
const maxCollections = 300

const protocolFault: SyncFault = { status: 4 }
const incomplete: SyncFault = { status: 13 }

const commandNames: ReadonlySet<QualifiedName> = new Set([
  'AirSync:Add',
  'AirSync:Change',
  'AirSync:Delete',
  'AirSync:Fetch',
])

/** Reads a Sync request, or says which Status it gets. */
export function readSync(root: WbxmlElement, version: ProtocolVersion): SyncRequest | SyncFault {
  const elements = collectionElements(root)
  // from 12.1 on the folders of an earlier request would hold
  if (elements.length === 0) return isOlder(version, '12.1') ? protocolFault : incomplete
  if (elements.length > maxCollections) return { status: 15, limit: maxCollections }
  const collections = elements.map(readCollection)
  const ids = new Set(collections.map(({ collectionId }) => collectionId))
  if (ids.size < collections.length || collections.some(isMalformed)) return protocolFault
  const waitSeconds = readWait(root, version)
  return typeof waitSeconds === 'object' ? waitSeconds : { collections, waitSeconds }
}

/** Every Collection of a Sync request, good or not. */
export function readCollections(root: WbxmlElement): readonly CollectionRequest[] {
  return collectionElements(root).map(readCollection)
}

function collectionElements(root: WbxmlElement): readonly WbxmlElement[] {
  return children(child(root, 'AirSync:Collections'), 'AirSync:Collection')
}

function isMalformed({ syncKey, collectionId, commands }: CollectionRequest): boolean {
  return (
    syncKey === '' ||
    collectionId === '' ||
    commands.length > maxCommands ||
    commands.some(({ name }) => !commandNames.has(name))
  )
}

function readCollection(collection: WbxmlElement): CollectionRequest {
  return {
    syncKey: textOf(child(collection, 'AirSync:SyncKey')) ?? '',
    collectionId: textOf(child(collection, 'AirSync:CollectionId')) ?? '',
    className: textOf(child(collection, 'AirSync:Class')),
    // absent or an empty tag means yes
    getChanges: textOf(child(collection, 'AirSync:GetChanges')) !== '0',
    options: mailOptions(collection),
    commands: children(child(collection, 'AirSync:Commands')),
  }
}

/** From 14.0 on there may be Options for SMS beside those for mail. */
function mailOptions(collection: WbxmlElement): WbxmlElement | undefined {
  return children(collection, 'AirSync:Options').find((options) => {
    const className = textOf(child(options, 'AirSync:Class'))
    return className === undefined || className === 'Email'
  })
}

/** `Wait` is minutes from 12.1 on, `HeartbeatInterval` seconds from 14.0 on; both are a fault. */
function readWait(root: WbxmlElement, version: ProtocolVersion): number | undefined | SyncFault {
  const wait = child(root, 'AirSync:Wait')
  const heartbeat = child(root, 'AirSync:HeartbeatInterval')
  if (wait === undefined && heartbeat === undefined) return undefined
  if (wait !== undefined && heartbeat !== undefined) return protocolFault
  if (isOlder(version, heartbeat === undefined ? '12.1' : '14.0')) return protocolFault
  const [value, { min, max }, unitSeconds] =
    heartbeat === undefined
      ? [numberIn(root, 'AirSync:Wait'), waitBounds, 60]
      : [numberIn(root, 'AirSync:HeartbeatInterval'), heartbeatBounds, 1]
  if (value === undefined) return protocolFault
  if (value < min) return { status: 14, limit: min }
  if (value > max) return { status: 14, limit: max }
  return value * unitSeconds
}
