import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { deviceIdFromBytes, deviceKey, isDeviceId } from '#eas/device-id.ts'
import { easRows } from '../support/eas-rows.ts'

void t.test('accepts 1 to 64 letters, digits, hyphens, underscores and dots, T-02', async (t) => {
  for (const id of ['A', 'z9', 'a-b_c.d', '__proto__', 'validate', 'x'.repeat(64)]) t.ok(isDeviceId(id), id)
  for (const id of ['', 'x'.repeat(65), 'a b', 'a,b', 'a*', 'a%', 'a/b', 'é', 'Ａ', 'a\n', '\0']) {
    t.notOk(isDeviceId(id), JSON.stringify(id))
  }
})

void t.test('prints the bytes of a base64 id as ASCII where all are letters and digits', async (t) => {
  for (let byte = 0; byte <= 0xff; byte++) {
    const character = String.fromCharCode(byte)
    const hex = byte.toString(16).padStart(2, '0').toUpperCase()
    t.equal(deviceIdFromBytes(Uint8Array.of(byte)), /[A-Za-z0-9]/.test(character) ? character : hex)
  }
  t.equal(deviceIdFromBytes(Buffer.from('Nine4383AF346860')), 'Nine4383AF346860')
  t.equal(deviceIdFromBytes(Buffer.from('my-device')), '6D792D646576696365')
})

void t.test('reads a view of a larger buffer, not the buffer', async (t) => {
  t.equal(deviceIdFromBytes(new Uint8Array(Buffer.from('..ABC..')).subarray(2, 5)), 'ABC')
})

void t.test('finds every spelling of one id under one key, T-01, T-06', async (t) => {
  for (const { name, proves, input, expected } of easRows<string[]>('device-key')) {
    for (const spelling of input) t.equal(deviceKey(spelling), expected, `${name}: ${spelling} [${proves}]`)
  }
})

const bounds = { seed: 4711, numRuns: 1000 }
const id = fc.stringMatching(/^[A-Za-z0-9._-]{1,32}$/)
const hexOf = (text: string): string => Buffer.from(text).toString('hex')

void t.test('folds case, hex and the bytes of a base64 query of any id', async () => {
  fc.assert(
    fc.property(id, (text) => {
      const hex = hexOf(text)
      const spellings = [
        text,
        text.toUpperCase(),
        text.toLowerCase(),
        hex,
        hex.toUpperCase(),
        deviceIdFromBytes(Buffer.from(text)),
      ]
      const keys = new Set(spellings.map(deviceKey))
      assert.equal(keys.size, 1)
      assert.deepEqual(new Set([...keys].map(deviceKey)), keys, 'a key is its own key')
    }),
    bounds,
  )
})

/** The rule once more, written out: an id, what it is the hex of, and so on, in lower case. */
function spelledOut(deviceId: string): string[] {
  const pairs = deviceId.length % 2 === 0 ? (deviceId.match(/../g) ?? []) : []
  const codes = pairs.map((pair) => (/^[0-9a-f]{2}$/i.test(pair) ? Number.parseInt(pair, 16) : 0))
  const inner = String.fromCharCode(...codes)
  return [deviceId.toLowerCase(), ...(/^[a-z0-9._-]+$/i.test(inner) ? spelledOut(inner) : [])]
}

void t.test('never merges ids that are not spellings of each other', async (t) => {
  const outcomes = { same: 0, different: 0 }
  // few letters, among them the hex of themselves, so that chance finds pairs
  const short = fc.stringMatching(/^(?:4|3|1|A|a){1,4}$/)
  const other = fc.oneof(short, short.map(hexOf), id)
  const pair = fc.oneof(
    fc.tuple(other, other),
    other.map((text): [string, string] => [text, hexOf(text)]),
    other.map((text): [string, string] => [hexOf(text).toUpperCase(), text.toUpperCase()]),
    other.map((text): [string, string] => [`${text}1`, hexOf(text)]),
  )
  fc.assert(
    fc.property(pair, ([left, right]) => {
      const rightSpellings = new Set(spelledOut(right))
      const same = spelledOut(left).some((spelling) => rightSpellings.has(spelling))
      outcomes[same ? 'same' : 'different'] += 1
      assert.equal(deviceKey(left) === deviceKey(right), same)
    }),
    bounds,
  )
  t.ok(outcomes.same > 200 && outcomes.different > 200, JSON.stringify(outcomes))
})
