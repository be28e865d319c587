import t from 'tap'
import { EasError } from '#eas/errors.ts'
import { decodeWbxml } from '#eas/wbxml/decode.ts'
import { bytesOf, child } from '#eas/wbxml/element.ts'
import { encodeWbxml } from '#eas/wbxml/encode.ts'
import { defaultLimits } from '#eas/wbxml/wire.ts'
import {
  captureBodies,
  captureBody,
  hexBytes,
  treeToJson,
  wbxmlFixture,
  type TreeJson,
} from '../../support/wbxml-fixtures.ts'

interface Example {
  readonly name: string
  readonly hex: string
  readonly tree: TreeJson
}

interface Refusal {
  readonly name: string
  readonly hex: string
  readonly code: string
  readonly offset: number
}

function refusalOf(bytes: Uint8Array, limits?: Parameters<typeof decodeWbxml>[1]): unknown {
  try {
    decodeWbxml(bytes, limits)
  } catch (error) {
    return error
  }
  return undefined
}

/** A document of elements inside each other. */
function nested(depth: number): Buffer {
  return Buffer.concat([hexBytes('03016a00'), Buffer.alloc(depth, 0x45), Buffer.alloc(depth, 0x01)])
}

void t.test('reads the examples of the protocol reference, and writes them back byte for byte', async (t) => {
  for (const { name, hex, tree } of wbxmlFixture('examples.json') as Example[]) {
    const decoded = decodeWbxml(hexBytes(hex))
    t.strictSame(treeToJson(decoded), tree, name)
    t.equal(encodeWbxml(decoded).toString('hex'), hex, name)
  }
})

void t.test('reads every captured body, all of them in the form that we write', async (t) => {
  const bodies = captureBodies()
  t.equal(bodies.length, 27)
  for (const { name, bytes } of bodies) {
    t.equal(encodeWbxml(decodeWbxml(bytes)).toString('hex'), bytes.toString('hex'), name)
  }
})

void t.test('reads what is uncommon but legal', async (t) => {
  const examples = wbxmlFixture('uncommon.json') as (Example & { canonical: string })[]
  for (const { name, hex, tree, canonical } of examples) {
    const decoded = decodeWbxml(hexBytes(hex))
    t.strictSame(treeToJson(decoded), tree, name)
    t.equal(encodeWbxml(decoded).toString('hex'), canonical, name)
  }
})

void t.test('refuses the rest with a code and the byte offset', async (t) => {
  for (const { name, hex, code, offset } of wbxmlFixture('refused.json') as Refusal[]) {
    const refusal = refusalOf(hexBytes(hex))
    t.ok(refusal instanceof EasError, name)
    t.match(refusal, { code, offset }, name)
  }
})

void t.test('refuses a capture that is cut, wherever it is cut', async (t) => {
  for (const { name, bytes } of captureBodies()) {
    const wrong: unknown[] = []
    for (let length = 0; length < bytes.length; length += 1) {
      const refusal = refusalOf(bytes.subarray(0, length))
      const offset =
        refusal instanceof EasError && refusal.code === 'EAS_WBXML_TRUNCATED' ? refusal.offset : undefined
      if (offset === undefined || offset > length) wrong.push({ length, refusal })
    }
    t.strictSame(wrong, [], name)
  }
})

void t.test('reads bytes in the middle of a larger buffer and nothing beside them', async (t) => {
  const body = captureBody('12.1-plain-Ping request')
  const larger = Buffer.concat([Buffer.alloc(7, 0xff), body, Buffer.alloc(7, 0x01)])
  const plain = new Uint8Array(larger.buffer, larger.byteOffset + 7, body.length)
  t.strictSame(decodeWbxml(plain), decodeWbxml(body))
  t.match(refusalOf(plain.subarray(0, -1)), { code: 'EAS_WBXML_TRUNCATED', offset: body.length - 1 })
})

void t.test('gives OPAQUE as a view, so that a large mail is not copied', async (t) => {
  const body = hexBytes('03016a00 0015 45 50 c303616263 01 01')
  const mime = bytesOf(child(decodeWbxml(body), 'ComposeMail:Mime'))
  t.equal(mime?.buffer, body.buffer)
  t.same(mime, Buffer.from('abc'))
})

void t.test('refuses a document over a limit at the byte where it passes it', async (t) => {
  t.ok(decodeWbxml(nested(64)))
  t.match(refusalOf(nested(65)), { code: 'EAS_WBXML_LIMIT', offset: 4 + 64 })
  t.match(refusalOf(nested(3), { maxDepth: 2 }), { code: 'EAS_WBXML_LIMIT', offset: 4 + 2 })
  const emptyAt65 = Buffer.concat([hexBytes('03016a00'), Buffer.alloc(64, 0x45), hexBytes('05')])
  t.match(refusalOf(emptyAt65), { code: 'EAS_WBXML_LIMIT', offset: 4 + 64 })

  t.ok(decodeWbxml(nested(2), { maxTokens: 4 }))
  t.match(refusalOf(nested(2), { maxTokens: 3 }), { code: 'EAS_WBXML_LIMIT', offset: 4 + 3 })

  t.ok(decodeWbxml(nested(2), { maxBytes: 8 }))
  t.match(refusalOf(nested(2), { maxBytes: 7 }), { code: 'EAS_WBXML_LIMIT', offset: 7 })
})

void t.test('stops in a hostile megabyte after a bounded number of tokens (T-47)', async (t) => {
  const { maxDepth, maxTokens } = defaultLimits
  const bodyStart = 5
  const floods = [
    { name: 'empty elements', unit: '05', bytesPerToken: 1 },
    { name: 'elements with an END at once', unit: '4501', bytesPerToken: 1 },
    { name: 'empty strings', unit: '0300', bytesPerToken: 2 },
    { name: 'empty opaque values', unit: 'c300', bytesPerToken: 2 },
    { name: 'page switches', unit: '0011', bytesPerToken: 2 },
  ]
  for (const { name, unit, bytesPerToken } of floods) {
    const body = Buffer.concat([hexBytes('03016a00 45'), Buffer.alloc(1_000_000, unit, 'hex')])
    // The root is the first token; the refusal stands at the first one too many, so nothing behind it was read.
    const offset = bodyStart + (maxTokens - 1) * bytesPerToken
    t.match(refusalOf(body), { code: 'EAS_WBXML_LIMIT', offset }, name)
  }
  const deep = Buffer.concat([hexBytes('03016a00'), Buffer.alloc(1_000_000, 0x45)])
  t.match(refusalOf(deep), { code: 'EAS_WBXML_LIMIT', offset: 4 + maxDepth })
  const endless = Buffer.concat([hexBytes('03016a00 45'), Buffer.alloc(1_000_000, 0x03)])
  t.match(refusalOf(endless), { code: 'EAS_WBXML_TRUNCATED', offset: bodyStart }, 'endless string')
  const strings = Buffer.concat([hexBytes('03016a00 45'), Buffer.alloc(1_000_000, 'é'), hexBytes('01')])
  strings[bodyStart] = 0x03
  t.match(refusalOf(strings), { code: 'EAS_WBXML_TRUNCATED', offset: bodyStart }, 'text without its end')
})
