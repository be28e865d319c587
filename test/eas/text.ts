import t from 'tap'
import { decodeUtf8, hasControl } from '#eas/text.ts'

void t.test('decodes UTF-8 whole and nothing else, T-04', async (t) => {
  t.equal(decodeUtf8(Buffer.from('jürgen')), 'jürgen')
  t.equal(decodeUtf8(Buffer.from('\ufeffalice')), '\ufeffalice', 'a byte order mark is kept')
  for (const hex of ['ff', 'c1a1', 'eda080', 'c3', 'f4908080']) {
    t.equal(decodeUtf8(Buffer.from(hex, 'hex')), undefined, hex)
  }
  t.equal(decodeUtf8(Buffer.from('alice')), 'alice', 'a refusal leaves nothing behind')
})

void t.test('finds C0 and C1 controls and DEL, T-39', async (t) => {
  for (let code = 0; code <= 0x2ff; code++) {
    const control = code < 0x20 || (code >= 0x7f && code <= 0x9f)
    t.equal(hasControl(`a${String.fromCharCode(code)}b`), control, `U+${code.toString(16).padStart(4, '0')}`)
  }
})
