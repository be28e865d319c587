import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { EasError } from '#eas/errors.ts'
import table from '#eas/wbxml/code-pages.json' with { type: 'json' }
import { decodeWbxml } from '#eas/wbxml/decode.ts'
import type { QualifiedName, WbxmlContent, WbxmlElement } from '#eas/wbxml/element.ts'
import { encodeWbxml } from '#eas/wbxml/encode.ts'
import { captureBodies, visitsExpected, visitsOf } from '../../support/wbxml-fixtures.ts'

// One seed, so that a failure of today is a failure of tomorrow.
const seed = 4711

const names = table.pages.flatMap(({ namespace, tags }) =>
  Object.keys(tags).map((local): QualifiedName => `${namespace}:${local}`),
)
const text = fc.string({ unit: 'binary' }).map((value) => value.replaceAll('\0', ''))

const { tree } = fc.letrec<{ tree: WbxmlElement; content: WbxmlContent }>((tie) => ({
  tree: fc.record(
    { name: fc.constantFrom(...names), content: fc.array(tie('content'), { maxLength: 4 }) },
    { noNullPrototype: true },
  ),
  content: fc.oneof(
    { maxDepth: 8, depthSize: 'small' },
    text,
    fc.uint8Array({ maxLength: 300 }),
    tie('tree'),
  ),
}))

/** Decodes and scans: both see the same document, or the decoder gives an EasError inside the bytes. */
function readBothWays(bytes: Uint8Array): 'read' | 'refused' {
  const { visits, whole } = visitsOf(bytes)
  let decoded: WbxmlElement
  try {
    decoded = decodeWbxml(bytes)
  } catch (error) {
    assert(
      error instanceof EasError && error.offset !== undefined && error.offset <= bytes.length,
      String(error),
    )
    return 'refused'
  }
  assert(whole)
  assert.deepEqual(visits, visitsExpected(decoded))
  assert.deepEqual(decodeWbxml(encodeWbxml(decoded)), decoded)
  return 'read'
}

/** Runs a property over bytes and counts how they were taken, so that a test of refusals alone shows. */
function outcomesOf(bytes: fc.Arbitrary<Uint8Array>): { read: number; refused: number } {
  const outcomes = { read: 0, refused: 0 }
  fc.assert(
    fc.property(bytes, (body) => {
      outcomes[readBothWays(body)] += 1
    }),
    { seed, numRuns: 5000 },
  )
  return outcomes
}

void t.test('reads back every tree that it writes', async (t) => {
  fc.assert(
    fc.property(tree, (root) => {
      assert.deepEqual(decodeWbxml(encodeWbxml(root)), root)
    }),
    { seed, numRuns: 2000 },
  )
  t.pass()
})

void t.test('survives random bytes behind a good header', async (t) => {
  // Mostly bytes that mean something, so that the walk gets far.
  const byte = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(0x00, 0x01, 0x03, 0xc3) },
    { weight: 5, arbitrary: fc.integer({ min: 0x05, max: 0x7f }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xff }) },
  )
  const body = fc
    .array(byte, { maxLength: 400 })
    .map((bytes) => Uint8Array.of(0x03, 0x01, 0x6a, 0x00, ...bytes))
  const { read, refused } = outcomesOf(body)
  t.ok(read > 50 && refused > 50, `${read} read, ${refused} refused`)
})

void t.test('survives captures with bytes changed, dropped, doubled and moved', async (t) => {
  const bodies = captureBodies()
    .map(({ bytes }) => bytes)
    .filter((bytes) => bytes.length < 2000)
  const edit = fc.record({
    kind: fc.constantFrom('set', 'drop', 'insert', 'double'),
    at: fc.nat({ max: 2000 }),
    byte: fc.integer({ min: 0, max: 0xff }),
  })
  const mutated = fc
    .tuple(fc.constantFrom(...bodies), fc.array(edit, { minLength: 1, maxLength: 6 }))
    .map(([body, edits]) => {
      const bytes = [...body]
      for (const { kind, at, byte } of edits) {
        const index = at % bytes.length
        if (kind === 'set') bytes[index] = byte
        else if (kind === 'drop') bytes.splice(index, 1)
        else if (kind === 'insert') bytes.splice(index, 0, byte)
        else bytes.splice(index, 0, ...bytes.slice(index, index + byte))
      }
      return Uint8Array.from(bytes)
    })
  const { read, refused } = outcomesOf(mutated)
  t.ok(read > 50 && refused > 50, `${read} read, ${refused} refused`)
})
