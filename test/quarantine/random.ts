import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { commandNames, type CommandName } from '#eas/commands.ts'
import { EasError } from '#eas/errors.ts'
import { protocolVersions } from '#eas/versions.ts'
import table from '#eas/wbxml/code-pages.json' with { type: 'json' }
import { decodeWbxml } from '#eas/wbxml/decode.ts'
import type { QualifiedName, WbxmlContent, WbxmlElement } from '#eas/wbxml/element.ts'
import { encodeWbxml } from '#eas/wbxml/encode.ts'
import { answerAfterRelease } from '#quarantine/after-release.ts'
import type { Answer } from '#quarantine/answer.ts'
import { answerQuarantined } from '#quarantine/answer-quarantined.ts'
import {
  bodyBytes,
  easCommand,
  hierarchyKeyOf,
  itemIdOf,
  keyOf,
  otherNotice,
  quarantineRows,
  testMailbox,
} from '../support/quarantine.ts'

// One seed, so that a failure of today is a failure of tomorrow.
const seed = 4711

const mailbox = testMailbox()
const changed = testMailbox({ notice: otherNotice })

/** What stands in requests of the tables, so that made-up ones get far. */
const tables = [
  'folder-sync',
  'sync',
  'bodies',
  'ping',
  'get-item-estimate',
  'item-operations',
  'settings',
  'provision',
  'refusals',
  'after-release',
]
const bodies = tables
  .flatMap((name) => quarantineRows(name))
  .flatMap(({ command, body }) => (body === null ? [] : [{ command, root: decodeWbxml(bodyBytes(body)) }]))

const names = table.pages.flatMap(({ namespace, tags }) =>
  Object.keys(tags).map((local): QualifiedName => `${namespace}:${local}`),
)
const usedNames = [...new Set(bodies.flatMap(({ root }) => namesIn(root)))]
const name = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...usedNames) }, fc.constantFrom(...names))
const text = fc.oneof(
  fc.constantFrom(
    '0',
    '1',
    '2',
    '4',
    '59',
    '60',
    '3541',
    'easgate-',
    'easgate-inbox',
    hierarchyKeyOf(),
    itemIdOf(),
  ),
  fc.constantFrom(keyOf(0, 'none'), keyOf(1, 'unread'), keyOf(2, 'read'), keyOf(3, 'deleted'), '4294967296'),
  fc.string({ unit: 'binary' }).map((value) => value.replaceAll('\0', '')),
)
const content: fc.Arbitrary<WbxmlContent> = fc.letrec<{ content: WbxmlContent }>((tie) => ({
  content: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    text,
    fc.uint8Array({ maxLength: 30 }),
    fc.record({ name, content: fc.array(tie('content'), { maxLength: 4 }) }, { noNullPrototype: true }),
  ),
})).content

/** A request of the tables with one of its elements replaced, dropped or doubled. */
const mutated = fc
  .tuple(fc.constantFrom(...bodies), fc.nat({ max: 60 }), fc.array(content, { maxLength: 3 }))
  .map(([{ command, root }, position, replacement]) => {
    const places = { left: position % sizeOf(root) }
    return { command, bytes: encodeWbxml(replaced(root, places, replacement)) }
  })
/** The top element of a command with anything in it. */
const madeUp = fc
  .tuple(fc.constantFrom(...bodies), fc.array(content, { maxLength: 6 }))
  .map(([{ command, root }, inside]) => ({
    command,
    bytes: encodeWbxml({ name: root.name, content: inside }),
  }))
const bytes = fc.tuple(fc.constantFrom(...commandNames), fc.uint8Array({ maxLength: 100 }))
const garbage = bytes.map(([command, tail]) => ({ command, bytes: Buffer.from([3, 1, 0x6a, 0, ...tail]) }))

function namesIn({ name, content }: WbxmlElement): QualifiedName[] {
  return [name, ...content.flatMap((part) => (isElement(part) ? namesIn(part) : []))]
}

function isElement(part: WbxmlContent): part is WbxmlElement {
  return typeof part !== 'string' && 'content' in part
}

function sizeOf({ content }: WbxmlElement): number {
  return 1 + content.reduce((size, part) => size + (isElement(part) ? sizeOf(part) : 1), 0)
}

/** The element with the content at one place, counted in document order, replaced. */
function replaced(
  { name, content }: WbxmlElement,
  places: { left: number },
  replacement: readonly WbxmlContent[],
): WbxmlElement {
  return {
    name,
    content: content.flatMap((part) => {
      places.left -= 1
      if (places.left === 0) return replacement
      return isElement(part) ? [replaced(part, places, replacement)] : [part]
    }),
  }
}

/** An answer that a client can read, never a wipe. */
function checkAnswer(answer: Answer): void {
  if (answer.status !== 200 || answer.body.length === 0) return
  const root = decodeWbxml(answer.body)
  assert(!namesIn(root).some((one) => /RemoteWipe/.test(one)))
}

function askAll(command: CommandName, body: Buffer): 'answered' | 'parked' | 'refused' {
  let outcome: 'answered' | 'parked' | 'refused' = 'refused'
  for (const version of protocolVersions) {
    const request = easCommand(command, version)
    const released = answerAfterRelease(request, body)
    if (released !== undefined) checkAnswer(released)
    try {
      const answer = answerQuarantined(request, body, mailbox)
      if (answer.kind === 'answer') {
        checkAnswer(answer)
        outcome = 'answered'
      } else {
        assert(answer.seconds >= 60 && answer.seconds <= 3540)
        for (const end of [answer.whenOver, answer.whenReleased, answer.whenChanged(changed)]) {
          if (end !== undefined) checkAnswer(end)
        }
        outcome = 'parked'
      }
    } catch (error) {
      if (!(error instanceof EasError)) throw error
    }
  }
  return outcome
}

for (const [title, requests, numRuns] of [
  ['requests with one thing changed', mutated, 3000],
  ['made-up requests', madeUp, 2000],
  ['bytes', garbage, 2000],
] as const) {
  void t.test(`answers or refuses ${title}, and never fails otherwise`, async (t) => {
    const outcomes = { answered: 0, parked: 0, refused: 0 }
    fc.assert(
      fc.property(requests, ({ command, bytes }) => {
        outcomes[askAll(command, bytes)] += 1
      }),
      { seed, numRuns },
    )
    t.ok(outcomes.answered > 100, JSON.stringify(outcomes))
  })
}
