import { createHash } from 'node:crypto'
import { wholeBody, type BodyChoice } from './body-choice.ts'
import type { Notice, QuarantineMailbox } from './mailbox.ts'
import { inboxId } from './own-ids.ts'
import { openKey, sealKey, type KeyHolder } from './sync-key.ts'

/**
 * What a client has of the Inbox, all of it inside of its SyncKey. Each step is a function of the key and the mailbox
 * alone: a client that lost an answer and asks again gets the same item under the same id.
 */
export interface InboxState {
  /** Rises with each answer that says something, so that its key is a new one. */
  readonly step: number
  /** When the mailbox was made ready for its message: the date of the message, in seconds since the epoch. */
  readonly receivedSeconds: number
  /** `none`: the message has still to be given. */
  readonly item: (typeof itemStates)[number]
  /** Of the message that was given, 8 bytes in hex; zeros before. */
  readonly digest: string
  /** The preferences sent last before this key was given: they hold until others come. [MS-ASAIRS] 2.2.2.12 */
  readonly choice: BodyChoice
}

const itemStates = ['none', 'unread', 'read', 'deleted'] as const
const bodyTypes = [1, 2, 4] as const

const digestBytes = 8
const noDigest = '00'.repeat(digestBytes)

/** Of the state, in the form below; another form gets another number. */
const formatVersion = 1
const stateBytes = 21
const at = { version: 0, flags: 1, step: 2, received: 4, digest: 8, truncation: 16, preview: 20 } as const
const untruncated = 0xff_ff_ff_ff

/** The state that key 0 leads to. */
export function primedState(mailbox: QuarantineMailbox, choice: BodyChoice): InboxState {
  return { step: 0, receivedSeconds: secondsOf(mailbox.now), item: 'none', digest: noDigest, choice }
}

/** The SyncKey for a state. */
export function inboxKey(holder: KeyHolder, state: InboxState): string {
  const { choice } = state
  const bytes = Buffer.alloc(stateBytes)
  bytes[at.version] = formatVersion
  bytes[at.flags] =
    itemStates.indexOf(state.item) | (bodyTypes.indexOf(choice.type) << 2) | (choice.allOrNone ? 1 << 4 : 0)
  bytes.writeUInt16BE(state.step, at.step)
  bytes.writeUInt32BE(state.receivedSeconds, at.received)
  bytes.write(state.digest, at.digest, digestBytes, 'hex')
  bytes.writeUInt32BE(Math.min(choice.maxBytes, untruncated), at.truncation)
  bytes[at.preview] = choice.previewCharacters
  return sealKey(holder, inboxId, bytes)
}

/** The state behind a SyncKey; undefined for a key that this mailbox has not given: the client must start at 0. */
export function openInboxKey(holder: KeyHolder, syncKey: string): InboxState | undefined {
  const bytes = openKey(holder, inboxId, syncKey)
  if (bytes?.length !== stateBytes || bytes[at.version] !== formatVersion) return undefined
  const flags = bytes[at.flags] ?? 0
  const truncation = bytes.readUInt32BE(at.truncation)
  return {
    step: bytes.readUInt16BE(at.step),
    receivedSeconds: bytes.readUInt32BE(at.received),
    item: itemStates[flags & 3] ?? 'none',
    digest: bytes.toString('hex', at.digest, at.digest + digestBytes),
    choice: {
      type: bodyTypes[(flags >> 2) & 3] ?? wholeBody.type,
      maxBytes: truncation === untruncated ? Infinity : truncation,
      allOrNone: (flags & (1 << 4)) !== 0,
      previewCharacters: bytes[at.preview] ?? 0,
    },
  }
}

/** One change of the server for a client. */
export type ServerChange =
  { readonly kind: 'add' | 'delete'; readonly id: ItemId } | { readonly kind: 'none' }

/** What comes next for a client, and the state that it has then. */
export interface Advance {
  readonly state: InboxState
  readonly change: ServerChange
  /** Another change follows at once. */
  readonly moreAvailable: boolean
}

/**
 * The next change, one at a time: so no window is too small for it. Where the message has become another, the old one
 * goes first and the date of the new one is set, and the new one comes with the next key: were both in one answer, a
 * client that asks again a second later would be given a second id. Undefined: the client has all there is.
 */
export function advance(state: InboxState, { notice, now }: QuarantineMailbox): Advance | undefined {
  const digest = noticeDigest(notice)
  if (state.item === 'none') {
    const id = { receivedSeconds: state.receivedSeconds, digest }
    return {
      state: { ...state, item: 'unread', digest },
      change: { kind: 'add', id },
      moreAvailable: false,
    }
  }
  if (state.digest === digest) return undefined
  const primed: InboxState = {
    ...state,
    item: 'none',
    digest: noDigest,
    receivedSeconds: secondsOf(now),
  }
  const gone = state.item === 'deleted'
  const change: ServerChange = gone ? { kind: 'none' } : { kind: 'delete', id: state }
  return { state: primed, change, moreAvailable: true }
}

/** How many changes stand between a client and the mailbox. */
export function pendingChanges(state: InboxState, mailbox: QuarantineMailbox): number {
  let count = 0
  let current: Advance | undefined = advance(state, mailbox)
  while (current !== undefined) {
    if (current.change.kind !== 'none') count += 1
    current = advance(current.state, mailbox)
  }
  return count
}

/** The same state under its next key. */
export function nextStep(state: InboxState): InboxState {
  return { ...state, step: (state.step + 1) & 0xffff }
}

/** Names one message: what it says, and when this client first could have it. */
export interface ItemId {
  readonly receivedSeconds: number
  readonly digest: string
}

/** The ServerId, which says all that is needed to give the item again. */
export function serverIdOf({ receivedSeconds, digest }: ItemId): string {
  const bytes = Buffer.alloc(4 + digestBytes)
  bytes.writeUInt32BE(receivedSeconds)
  bytes.write(digest, 4, digestBytes, 'hex')
  return `${inboxId}:${bytes.toString('base64url')}`
}

/**
 * The item that a ServerId names; undefined where it is not the message of now. A date made up by the client only comes
 * back to itself.
 */
export function itemOfServerId(serverId: string, notice: Notice): ItemId | undefined {
  const bytes = Buffer.from(serverId.slice(inboxId.length + 1), 'base64url')
  if (bytes.length !== 4 + digestBytes) return undefined
  const id = { receivedSeconds: bytes.readUInt32BE(), digest: bytes.toString('hex', 4) }
  return serverIdOf(id) === serverId && id.digest === noticeDigest(notice) ? id : undefined
}

/** Tells two messages apart, 8 bytes in hex. */
export function noticeDigest({ subject, senderName, text, html }: Notice): string {
  const digest = createHash('sha256').update(JSON.stringify([subject, senderName, text, html]))
  return digest.digest('hex').slice(0, 2 * digestBytes)
}

function secondsOf(ms: number): number {
  return Math.floor(ms / 1000) >>> 0
}
