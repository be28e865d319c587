import type { WbxmlElement } from '#eas/wbxml/element.ts'
import { child, children, element, textOf } from '#eas/wbxml/element.ts'
import type { ItemOptions } from './body.ts'
import { numberIn, readItemOptions } from './body.ts'
import type { CommandContext } from './context.ts'

/** One Collection of a Sync request. */
export interface CollectionRequest {
  readonly element: WbxmlElement
  readonly syncKey: string
  readonly collectionId: string
  /** As the request has it; only 2.5 and 12.0 are answered with one. */
  readonly className: string | undefined
  readonly getChanges: boolean
  readonly windowSize: number
  readonly deletesAsMoves: boolean
  readonly options: ItemOptions | undefined
  readonly commands: readonly WbxmlElement[]
}

/** A Sync request that can be done. */
export interface SyncRequest {
  readonly collections: readonly CollectionRequest[]
  /** Changes in the whole answer, at most. */
  readonly windowSize: number
  /** How long to wait for a change; undefined: answer at once. */
  readonly waitMs: number | undefined
}

/** A fault that stands under Sync itself (protocol.md section 9). */
export interface SyncFault {
  readonly status: number
  readonly limit?: number
}

/** Limits of protocol.md section 10 and of [MS-ASCMD] WindowSize. */
const maxCommands = 200
const maxCollections = 300
const defaultWindowSize = 100
const maxWindowSize = 512

/**
 * The request that counts: the body, the stored one where the body is empty, or both where it is Partial. Undefined:
 * nothing is stored to complete it (Status 13). protocol.md section 10
 */
export function effectiveSync(
  body: WbxmlElement | undefined,
  stored: WbxmlElement | undefined,
): WbxmlElement | undefined {
  if (body === undefined) return stored
  if (child(body, 'AirSync:Partial') === undefined) return body
  if (stored === undefined) return undefined
  const given = collectionsOf(body)
  const givenIds = new Set(given.map(idOf))
  const kept = collectionsOf(stored).filter((collection) => !givenIds.has(idOf(collection)))
  const own = children(body).filter(
    ({ name }) => name !== 'AirSync:Collections' && name !== 'AirSync:Partial',
  )
  const ownNames = new Set(own.map(({ name }) => name))
  // Either way of waiting replaces the other.
  if (ownNames.has('AirSync:Wait')) ownNames.add('AirSync:HeartbeatInterval')
  if (ownNames.has('AirSync:HeartbeatInterval')) ownNames.add('AirSync:Wait')
  const rest = children(stored).filter(({ name }) => name !== 'AirSync:Collections' && !ownNames.has(name))
  return element('AirSync:Sync', element('AirSync:Collections', ...kept, ...given), ...rest, ...own)
}

/** The request as it is stored: what clients did is done once only. */
export function withoutCommands(sync: WbxmlElement): WbxmlElement {
  const collections = collectionsOf(sync).map((collection) =>
    element(collection.name, ...children(collection).filter(({ name }) => name !== 'AirSync:Commands')),
  )
  const rest = children(sync).filter(({ name }) => name !== 'AirSync:Collections')
  return element(sync.name, element('AirSync:Collections', ...collections), ...rest)
}

/** Reads a whole Sync request, or says which Status it gets. */
export function readSync(sync: WbxmlElement, context: CommandContext): SyncRequest | SyncFault {
  const elements = collectionsOf(sync)
  if (elements.length === 0) return { status: 4 }
  if (elements.length > maxCollections) return { status: 15, limit: maxCollections }
  const collections: CollectionRequest[] = []
  for (const collection of elements) {
    const read = readCollection(collection)
    if (read === undefined || read.commands.length > maxCommands) return { status: 4 }
    collections.push(read)
  }
  const wait = readWait(sync, context)
  if (typeof wait === 'object') return wait
  return { collections, windowSize: windowSizeIn(sync), waitMs: wait }
}

/** Wait is minutes, HeartbeatInterval seconds from 14.0; both is 4, out of range 14 with the nearest bound. */
function readWait(
  sync: WbxmlElement,
  { version, behaviour }: CommandContext,
): number | undefined | SyncFault {
  const minutes = child(sync, 'AirSync:Wait')
  const heartbeat = child(sync, 'AirSync:HeartbeatInterval')
  if (minutes === undefined && heartbeat === undefined) return undefined
  if (version < 121 || (minutes !== undefined && heartbeat !== undefined)) return { status: 4 }
  if (heartbeat !== undefined && version < 140) return { status: 4 }
  const { minHeartbeatSeconds, maxHeartbeatSeconds } = behaviour
  const [value, least, most, unitMs] =
    heartbeat === undefined
      ? [numberIn(sync, 'AirSync:Wait'), 1, 59, 60_000]
      : [numberIn(sync, 'AirSync:HeartbeatInterval'), minHeartbeatSeconds, maxHeartbeatSeconds, 1000]
  if (value === undefined) return { status: 4 }
  if (value < least) return { status: 14, limit: least }
  if (value > most) return { status: 14, limit: most }
  return value * unitMs
}

function readCollection(collection: WbxmlElement): CollectionRequest | undefined {
  const syncKey = textOf(child(collection, 'AirSync:SyncKey'))
  const collectionId = textOf(child(collection, 'AirSync:CollectionId'))
  if (syncKey === undefined || syncKey === '' || collectionId === undefined || collectionId === '')
    return undefined
  const options = child(collection, 'AirSync:Options')
  return {
    element: collection,
    syncKey,
    collectionId,
    className: textOf(child(collection, 'AirSync:Class')),
    // An absent GetChanges, DeletesAsMoves and an empty tag all mean yes.
    getChanges: textOf(child(collection, 'AirSync:GetChanges')) !== '0',
    deletesAsMoves: textOf(child(collection, 'AirSync:DeletesAsMoves')) !== '0',
    windowSize: windowSizeIn(collection),
    options: options === undefined ? undefined : readItemOptions(options),
    commands: children(child(collection, 'AirSync:Commands')),
  }
}

function windowSizeIn(parent: WbxmlElement): number {
  const size = numberIn(parent, 'AirSync:WindowSize') ?? defaultWindowSize
  return size === 0 ? maxWindowSize : Math.min(size, maxWindowSize)
}

function collectionsOf(sync: WbxmlElement): WbxmlElement[] {
  return children(child(sync, 'AirSync:Collections'), 'AirSync:Collection')
}

function idOf(collection: WbxmlElement): string | undefined {
  return textOf(child(collection, 'AirSync:CollectionId'))
}
