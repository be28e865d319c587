import t from 'tap'
import { decodeWbxml } from '#eas/wbxml/decode.ts'
import { bytesOf, element, textOf, type QualifiedName } from '#eas/wbxml/element.ts'
import { encodeWbxml } from '#eas/wbxml/encode.ts'
import { hexBytes } from '../../support/wbxml-fixtures.ts'

/** What an element is encoded to, in hex. */
function hexOf(...args: Parameters<typeof element>): string {
  return encodeWbxml(element(...args)).toString('hex')
}

void t.test('sets the content bit only where there is content', async (t) => {
  t.equal(hexOf('AirSync:Sync'), '03016a0005')
  t.equal(hexOf('AirSync:Sync', element('AirSync:GetChanges')), '03016a00451301')
  t.equal(hexOf('AirSync:SyncKey', ''), '03016a004b030001')
  t.equal(hexOf('AirSync:SyncKey', new Uint8Array()), '03016a004bc30001')
})

void t.test('switches the page only where it changes, across an END as well', async (t) => {
  const body = element('AirSyncBase:Body', element('AirSyncBase:Type', '1'))
  t.equal(
    hexOf('AirSync:ApplicationData', element('Email:Read', '0'), body, element('AirSyncBase:NativeBodyType')),
    hexBytes('03016a00 5d 0002 55 033000 01 0011 4a 46 033100 01 01 16 01').toString('hex'),
  )
  t.equal(
    hexOf('AirSync:Sync', body, element('AirSync:GetChanges')),
    hexBytes('03016a00 45 0011 4a 46 033100 01 01 0000 13 01').toString('hex'),
  )
})

void t.test('writes the length of OPAQUE in as few bytes as it takes', async (t) => {
  const lengths = [
    [0, '00'],
    [1, '01'],
    [127, '7f'],
    [128, '8100'],
    [16_383, 'ff7f'],
    [16_384, '818000'],
    [2_097_152, '81808000'],
  ] as const
  for (const [length, hex] of lengths) {
    const bytes = Buffer.alloc(length, 'x')
    const encoded = encodeWbxml(element('ComposeMail:Mime', bytes))
    t.equal(encoded.subarray(7, 8 + hex.length / 2).toString('hex'), `c3${hex}`)
    t.ok(Buffer.from(bytesOf(decodeWbxml(encoded)) ?? '').equals(bytes), `${length} bytes are read back`)
  }
})

void t.test('grows with the document', async (t) => {
  const text = 'ab€😀'.repeat(5000)
  const root = element('AirSync:Sync', ...Array.from({ length: 50 }, () => element('AirSync:ServerId', text)))
  t.strictSame(decodeWbxml(encodeWbxml(root)), root)
})

void t.test('refuses a name that stands in no code page', async (t) => {
  const unknown: QualifiedName[] = [
    'AirSync:Nothing',
    'Nothing:Sync',
    'AirSync:Synchronize',
    'Object:constructor',
  ]
  for (const name of unknown) t.throws(() => encodeWbxml(element(name)), TypeError, name)
})

void t.test('refuses text with a NUL, which could smuggle in tags', async (t) => {
  t.throws(() => encodeWbxml(element('Email:Subject', 'a\u0000\u0001b')), TypeError)
})

void t.test('writes half a surrogate pair as U+FFFD, so that the answer stays readable', async (t) => {
  t.equal(textOf(decodeWbxml(encodeWbxml(element('Email:Subject', 'a\ud800b')))), 'a\ufffdb')
})
