import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CommandName } from '#eas/commands.ts'
import { parseRequest, type EasRequest } from '#eas/parse.ts'
import type { ProtocolVersion } from '#eas/versions.ts'
import { decodeWbxml } from '#eas/wbxml/decode.ts'
import { encodeWbxml } from '#eas/wbxml/encode.ts'
import type { Answer, Park } from '#quarantine/answer.ts'
import { answerQuarantined } from '#quarantine/answer-quarantined.ts'
import { wholeBody } from '#quarantine/body-choice.ts'
import { inboxKey, noticeDigest, openInboxKey, serverIdOf } from '#quarantine/inbox-state.ts'
import type { Notice, QuarantineMailbox } from '#quarantine/mailbox.ts'
import { openKey, policyKey, sealKey } from '#quarantine/sync-key.ts'
import { treeFromJson, treeToJson, type TreeJson } from './wbxml-fixtures.ts'

/** The message of all tests, and the one that comes in its place. */
export const notice: Notice = {
  subject: 'Enrol',
  senderName: 'Help',
  text: 'https://x.example/e\n\nThis device is not managed. Open the link.\n',
  html: '<p><a href="https://x.example/e">Enrol</a></p><p>This device is not managed.</p>',
}
export const otherNotice: Notice = { ...notice, text: 'https://x.example/e\n\nUpdate this device.\n' }

/** 2026-01-02T03:04:05Z */
export const now = Date.UTC(2026, 0, 2, 3, 4, 5)

/** The mailbox of all tests, or one that differs in some. */
export function testMailbox(changed: Partial<QuarantineMailbox> = {}): QuarantineMailbox {
  return {
    user: 'u@x.example',
    deviceKey: 'phone1',
    notice,
    signingKey: Buffer.alloc(32, 7),
    now,
    ...changed,
  }
}

/** A command as the proxy has parsed it. */
export function easCommand(
  command: CommandName,
  version: ProtocolVersion | undefined,
  more = '',
): EasRequest {
  return parseRequest({
    method: 'POST',
    target: `/Microsoft-Server-ActiveSync?Cmd=${command}&User=u&DeviceId=PHONE1&DeviceType=iPhone${more}`,
    httpVersion: '1.1',
    rawHeaders: ['Host', 'x.example', ...(version === undefined ? [] : ['MS-ASProtocolVersion', version])],
  })
}

/** Asks the mailbox. A body is a tree as the fixtures write it, bytes, or none. */
export function ask(
  command: CommandName,
  version: ProtocolVersion,
  body: TreeJson | Buffer | null,
  mailbox = testMailbox(),
): Answer | Park {
  return answerQuarantined(easCommand(command, version), bodyBytes(body, mailbox), mailbox)
}

/** A body of {@link ask} as bytes. */
export function bodyBytes(body: TreeJson | Buffer | null, mailbox = testMailbox()): Buffer {
  if (body === null) return Buffer.alloc(0)
  return Buffer.isBuffer(body) ? body : encodeWbxml(treeFromJson(resolved(body, mailbox)))
}

/** An answer as a fixture writes it: its document, or what there is in place of one. */
export type AnswerJson = TreeJson | 'empty' | { readonly http: number }

/** An answer as a fixture writes it, with keys and ids of the mailbox by what they say: `$key 1 unread`, `$item`. */
export function answerJson({ status, body, headers }: Answer, mailbox = testMailbox()): AnswerJson {
  const hasType = headers.join(': ') === 'Content-Type: application/vnd.ms-sync.wbxml'
  if (status !== 200 || !hasType) return { http: status }
  return body.length === 0 ? 'empty' : named(treeToJson(decodeWbxml(body)), mailbox)
}

/** The document of an answer that is one, as it is on the wire. */
export function treeOf(answer: Answer | Park): TreeJson {
  if (answer.kind === 'park') throw new Error('parked')
  return treeToJson(decodeWbxml(answer.body))
}

/** The texts at the end of a path of names below the root, in document order. */
export function textsAt([, ...content]: TreeJson, ...path: readonly string[]): string[] {
  const [name, ...rest] = path
  if (name === undefined) return [content.filter((part) => typeof part === 'string').join('')]
  return content.flatMap((part) => (Array.isArray(part) && part[0] === name ? textsAt(part, ...rest) : []))
}

/** A row of test/fixtures/quarantine. */
export interface QuarantineRow {
  /** The behaviour, as a test title. */
  readonly name: string
  /** The clause of protocol.md or the issue that asks for it. */
  readonly proves: string
  readonly versions: readonly ProtocolVersion[]
  readonly command: CommandName
  /** Of the query, beside the usual parameters. */
  readonly query?: string
  readonly body: TreeJson | null
  /** Null where the request is not answered here. */
  readonly expected: AnswerJson | ParkJson | null
}

/** A parked request, with all its ends. */
export interface ParkJson {
  readonly seconds: number
  readonly over: AnswerJson
  readonly released: AnswerJson
  /** Where the message became another. */
  readonly changed: AnswerJson
}

/** The rows of test/fixtures/quarantine/`table`.json. */
export function quarantineRows(table: string): QuarantineRow[] {
  const file = join(import.meta.dirname, '../fixtures/quarantine', `${table}.json`)
  return JSON.parse(readFileSync(file, 'utf8')) as QuarantineRow[]
}

/** What the mailbox does with a request, as a fixture writes it. */
export function outcomeJson(outcome: Answer | Park): AnswerJson | ParkJson | 'nothing new' {
  if (outcome.kind === 'answer') return answerJson(outcome)
  const changed = testMailbox({ notice: otherNotice, now: now + 60_000 })
  const whenChanged = outcome.whenChanged(changed)
  if (outcome.whenChanged(testMailbox()) !== undefined) throw new Error('told of no change')
  if (whenChanged === undefined) return 'nothing new'
  return {
    seconds: outcome.seconds,
    over: answerJson(outcome.whenOver),
    released: answerJson(outcome.whenReleased),
    changed: answerJson(whenChanged, changed),
  }
}

/** The SyncKey of a state, by its step and what became of the message (`unread`, `read`, `deleted`, `none`). */
export function keyOf(step: number, item: string, mailbox = testMailbox()): string {
  if (item !== 'none' && item !== 'unread' && item !== 'read' && item !== 'deleted') throw new Error(item)
  const digest = item === 'none' ? '00'.repeat(8) : noticeDigest(mailbox.notice)
  return inboxKey(mailbox, { step, item, digest, receivedSeconds: seconds(mailbox), choice: wholeBody })
}

/** The ServerId of the message. */
export function itemIdOf(mailbox = testMailbox()): string {
  return serverIdOf({ receivedSeconds: seconds(mailbox), digest: noticeDigest(mailbox.notice) })
}

/** The SyncKey of the folder hierarchy. */
export function hierarchyKeyOf(mailbox = testMailbox()): string {
  return sealKey(mailbox, '0', Uint8Array.of(1))
}

function seconds({ now }: QuarantineMailbox): number {
  return Math.floor(now / 1000)
}

/** `$...` in a request by what it stands for. */
function resolved([name, ...content]: TreeJson, mailbox: QuarantineMailbox): TreeJson {
  return [
    name,
    ...content.map((part) => {
      if (Array.isArray(part)) return resolved(part, mailbox)
      return typeof part === 'string' && part.startsWith('$') ? valueOf(part, mailbox) : part
    }),
  ]
}

function valueOf(placeholder: string, mailbox: QuarantineMailbox): string {
  const [kind, step = '', item = ''] = placeholder.slice(1).split(' ')
  switch (kind) {
    case 'hierarchy':
      return hierarchyKeyOf(mailbox)
    case 'key':
      return keyOf(Number(step), item, mailbox)
    case 'foreignKey':
      return keyOf(0, 'none', { ...mailbox, deviceKey: 'phone2' })
    case 'item':
      return itemIdOf(mailbox)
    case 'temporaryPolicyKey':
      return String(policyKey(mailbox, 'temporary'))
    default:
      throw new Error(placeholder)
  }
}

/** Keys and ids of an answer by what they say. */
function named([name, ...content]: TreeJson, mailbox: QuarantineMailbox): TreeJson {
  return [
    name,
    ...content.map((part) => {
      if (Array.isArray(part)) return named(part, mailbox)
      if (typeof part === 'string') return nameOf(name, part, mailbox)
      // any 16 bytes name a conversation
      return name === 'Email2:ConversationId' && part.opaque.length === 32 ? { opaque: '@' } : part
    }),
  ]
}

function nameOf(element: string, text: string, mailbox: QuarantineMailbox): string {
  if (element === 'Provision:PolicyKey') {
    return text === String(policyKey(mailbox, 'final')) ? '$finalPolicyKey' : '$temporaryPolicyKey'
  }
  if (!text.startsWith('easgate-')) return text
  const state = openInboxKey(mailbox, text)
  if (state !== undefined) return `$key ${state.step} ${state.item}`
  if (openKey(mailbox, '0', text) !== undefined) return '$hierarchy'
  if (text === itemIdOf(mailbox)) return '$item'
  return text === itemIdOf() ? '$oldItem' : text
}
