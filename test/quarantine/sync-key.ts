import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import { openKey, policyKey, sealKey, type KeyHolder } from '#quarantine/sync-key.ts'

// One seed, so that a failure of today is a failure of tomorrow.
const seed = 4711
const signingKey = Buffer.alloc(32, 7)
const holder: KeyHolder = { user: 'u@x.example', deviceKey: 'phone1', signingKey }
const state = fc.uint8Array({ minLength: 1, maxLength: 26 })

void t.test('a key gives its state back, and is a SyncKey: printable, at most 64 characters', async (t) => {
  fc.assert(
    fc.property(state, fc.string(), fc.string(), (bytes, user, deviceKey) => {
      const who = { user, deviceKey, signingKey }
      const key = sealKey(who, 'easgate-inbox', bytes)
      assert.match(key, /^easgate-[\w-]{1,56}$/)
      assert.deepEqual(openKey(who, 'easgate-inbox', key), Buffer.from(bytes))
    }),
    { seed, numRuns: 500 },
  )
  t.pass()
})

void t.test('a key is good for nobody else and nowhere else', async (t) => {
  const key = sealKey(holder, 'easgate-inbox', Uint8Array.of(1, 2, 3))
  t.ok(openKey(holder, 'easgate-inbox', key))
  t.notOk(openKey({ ...holder, user: 'v@x.example' }, 'easgate-inbox', key))
  t.notOk(openKey({ ...holder, deviceKey: 'phone2' }, 'easgate-inbox', key))
  t.notOk(openKey({ ...holder, signingKey: Buffer.alloc(32, 8) }, 'easgate-inbox', key))
  t.notOk(openKey(holder, '0', key))
  t.notOk(openKey({ ...holder, user: 'u@x.example","phone1', deviceKey: '' }, 'easgate-inbox', key))
})

void t.test('what is made by hand or changed does not verify', async (t) => {
  const key = sealKey(holder, 'easgate-inbox', Uint8Array.of(1, 2, 3, 4))
  const forged = fc.oneof(
    fc.string(),
    fc.base64String().map((text) => `easgate-${text}`),
    fc.uint8Array({ maxLength: 60 }).map((bytes) => `easgate-${Buffer.from(bytes).toString('base64url')}`),
    fc.tuple(fc.nat({ max: key.length - 1 }), fc.string({ minLength: 0, maxLength: 2 })).map(([at, text]) => {
      return key.slice(0, at) + text + key.slice(at + 1)
    }),
    fc.nat({ max: key.length - 1 }).map((length) => key.slice(0, length)),
    fc.string({ minLength: 1 }).map((text) => key + text),
  )
  fc.assert(
    fc.property(forged, (text) => {
      fc.pre(text !== key)
      assert.equal(openKey(holder, 'easgate-inbox', text), undefined)
    }),
    { seed, numRuns: 5000 },
  )
  t.pass()
})

void t.test('a key has one spelling', async (t) => {
  // 17 bytes leave spare bits in the last character
  const key = sealKey(holder, 'easgate-inbox', Uint8Array.of(1))
  const last = key.at(-1) ?? ''
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const sibling = alphabet[alphabet.indexOf(last) + 1] ?? ''
  t.same(Buffer.from(`${key.slice(8, -1)}${sibling}`, 'base64url'), Buffer.from(key.slice(8), 'base64url'))
  for (const spelling of [`${key.slice(0, -1)}${sibling}`, `${key}=`, `${key} `, key.replace('-', '--')]) {
    t.notOk(openKey(holder, 'easgate-inbox', spelling), spelling)
  }
})

void t.test('policy keys are unsigned 32-bit numbers, always the same for a device', async (t) => {
  const temporary = policyKey(holder, 'temporary')
  t.ok(Number.isInteger(temporary) && temporary > 0 && temporary < 2 ** 32)
  t.equal(policyKey({ ...holder }, 'temporary'), temporary)
  t.not(policyKey(holder, 'final'), temporary)
  t.not(policyKey({ ...holder, deviceKey: 'phone2' }, 'temporary'), temporary)
  t.not(policyKey({ ...holder, user: 'v@x.example' }, 'temporary'), temporary)
})
