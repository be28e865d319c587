import type { WbxmlElement } from '#eas/wbxml/element.ts'
import type { ItemOptions } from './body.ts'
import type { Mailbox } from './mailbox.ts'
import type { Message } from './message.ts'

/** What one device has of one collection. */
export interface CollectionState {
  readonly key: string
  /** Item id to `mark` of the item as the client has it. */
  readonly known: ReadonlyMap<string, string>
  /** Options last sent; they hold until others come. */
  readonly options: ItemOptions
  /** The step before, for a client that lost the answer. */
  readonly previous: PreviousStep | undefined
}

/** The state behind the key before, and what was asked and answered with it. */
export interface PreviousStep {
  readonly state: CollectionState
  /** The Collection element of the request, encoded. */
  readonly request: string
  readonly answer: WbxmlElement
}

/** One item that the server has otherwise than the client. */
export type Difference =
  | { readonly kind: 'add' | 'edit' | 'flags'; readonly message: Message }
  /** `soft-delete`: still there, but older than the client's filter. */
  | { readonly kind: 'delete' | 'soft-delete'; readonly serverId: string }

/** A text that differs when the item does; the part before the dash is the content's. */
export function mark(message: Message): string {
  return `${message.revision}-${message.read ? 'r' : ''}${message.flagged ? 'f' : ''}`
}

/** What the client has still to be told, deletes first. */
export function differences(
  mailbox: Mailbox,
  folderId: string,
  state: Pick<CollectionState, 'known' | 'options'>,
  now: number,
): Difference[] {
  const inFolder = mailbox.messages(folderId)
  const oldest = now - (filterAgeMs.get(state.options.filterType) ?? Infinity)
  const visible = inFolder.filter((message) => message.receivedAt >= oldest)
  const visibleIds = new Set(visible.map((message) => message.serverId))
  const found: Difference[] = []
  for (const serverId of state.known.keys()) {
    if (visibleIds.has(serverId)) continue
    const hidden = mailbox.message(serverId) !== undefined
    found.push({ kind: hidden ? 'soft-delete' : 'delete', serverId })
  }
  for (const message of visible) {
    const before = state.known.get(message.serverId)
    const after = mark(message)
    if (before === after) continue
    found.push({ kind: before === undefined ? 'add' : kindOfChange(before, after), message })
  }
  return found
}

function kindOfChange(before: string, after: string): 'edit' | 'flags' {
  return before.slice(0, before.indexOf('-')) === after.slice(0, after.indexOf('-')) ? 'flags' : 'edit'
}

const dayMs = 86_400_000

/** FilterType 1 to 5; 0 and values for other classes are no age. [MS-ASCMD] FilterType */
const filterAgeMs: ReadonlyMap<number, number> = new Map([
  [1, dayMs],
  [2, 3 * dayMs],
  [3, 7 * dayMs],
  [4, 14 * dayMs],
  [5, 30 * dayMs],
])
