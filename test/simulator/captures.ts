import t from 'tap'
import { decodeWbxml } from '#eas/wbxml/decode.ts'
import {
  capture,
  captureNames,
  compare,
  layoutOf,
  replay,
  sessions,
  setUp,
  statusesOf,
} from '../support/captured-sessions.ts'
import { pathsOf } from '../support/simulated-phone.ts'

void t.test('knows every capture', (t) => {
  t.strictSame(Object.keys(sessions).toSorted(), captureNames.toSorted())
  t.end()
})

for (const [name, prepare] of Object.entries(sessions)) {
  void t.test(`answers ${name} as the captured server did`, async (t) => {
    const captured = capture(name)
    const server = await setUp(t, captured)
    const reply = await replay(server, captured, await prepare(server))
    compare(t, reply, captured)
  })
}

void t.test('lays multipart out as captured, byte for byte around the document', async (t) => {
  const captured = capture('12.1-base64-itemoperations-attachment-multipart')
  const server = await setUp(t, captured)
  const prepare = sessions['12.1-base64-itemoperations-attachment-multipart']
  const { body } = await replay(server, captured, (await prepare?.(server)) ?? {})
  const theirs = Buffer.from(captured.response.bodyHex, 'hex')
  const [ours, expected] = [body, theirs].map((bytes) =>
    decodeWbxml(bytes.subarray(bytes.readUInt32LE(4), bytes.readUInt32LE(4) + bytes.readUInt32LE(8))),
  )
  t.strictSame(pathsOf(ours), pathsOf(expected))
  t.strictSame(statusesOf(ours), statusesOf(expected))
  t.strictSame(layoutOf(body), layoutOf(theirs))
})

void t.test('gives the captured bytes of a file', async (t) => {
  const captured = capture('12.1-plain-getattachment')
  const server = await setUp(t, captured)
  const reply = await replay(server, captured, (await sessions['12.1-plain-getattachment']?.(server)) ?? {})
  t.equal(reply.body.toString('hex'), captured.response.bodyHex)
})
