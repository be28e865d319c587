import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import t from 'tap'
import { openToken, sealToken } from '#enrollment/token.ts'

const key = Buffer.alloc(32, 1)
const pairId = 'AAECAwQFBgcICQoLDA0ODw'
const token = sealToken(key, { pairId, lastDay: 20_500 })

const contents = fc.record({
  pairId: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((id) => Buffer.from(id).toString('base64url')),
  lastDay: fc.nat({ max: 65_535 }),
})

void t.test('gives back what was sealed, in 44 characters for a URL', async () => {
  fc.assert(
    fc.property(contents, (content) => {
      const sealed = sealToken(key, content)
      return /^[\w-]{44}$/.test(sealed) && isDeepStrictEqual({ ...openToken(key, sealed) }, { ...content })
    }),
    { numRuns: 200 },
  )
})

void t.test('is the same for the same content, so that the message on the phone stays', async (t) => {
  t.equal(sealToken(key, { pairId, lastDay: 20_500 }), token)
})

void t.test('does not show the pair, nor that two are of one', async (t) => {
  const bytes = Buffer.from(token, 'base64url')
  const next = Buffer.from(sealToken(key, { pairId, lastDay: 20_501 }), 'base64url')
  t.notOk(bytes.includes(Buffer.from(pairId, 'base64url').subarray(0, 4)))
  const common = bytes.subarray(3).filter((byte, index) => byte === next[3 + index])
  t.ok(common.length < 5, 'beside form and day all of it changes')
})

void t.test('any other bytes are no token', async (t) => {
  const bytes = Buffer.from(token, 'base64url')
  for (const index of bytes.keys()) {
    for (let bit = 0; bit < 8; bit++) {
      const forged = Buffer.from(bytes)
      forged[index] = (forged[index] ?? 0) ^ (1 << bit)
      t.equal(openToken(key, forged.toString('base64url')), undefined, `byte ${index}, bit ${bit}`)
    }
  }
})

void t.test('any other text is no token, and none makes it throw', async (t) => {
  fc.assert(fc.property(fc.string({ maxLength: 80 }), (text) => openToken(key, text) === undefined))
  for (const text of ['', ` ${token}`, `${token}=`, `${token}A`, token.slice(0, -1), token.slice(0, 20)]) {
    t.equal(openToken(key, text), undefined, text)
  }
  t.equal(openToken(key, sealToken(key, { pairId: 'AA', lastDay: 1 })), undefined, 'an id of another length')
})

void t.test('a token of another key is none', async (t) => {
  t.equal(openToken(Buffer.alloc(32, 2), token), undefined)
})
