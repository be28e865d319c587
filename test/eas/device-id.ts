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
