import t from 'tap'
import { heartbeatSeconds } from '#eas/heartbeat.ts'
import { encodeWbxml } from '#eas/wbxml/encode.ts'
import {
  captureBody,
  hexBytes,
  treeFromJson,
  wbxmlFixture,
  type TreeJson,
} from '../support/wbxml-fixtures.ts'

interface Heartbeat {
  readonly name: string
  readonly command: 'Ping' | 'Sync'
  readonly tree: TreeJson
  readonly seconds: number | null
}

void t.test('reads how long a client wants its request held', async (t) => {
  for (const { name, command, tree, seconds } of wbxmlFixture('heartbeat.json') as Heartbeat[]) {
    t.equal(heartbeatSeconds(command, encodeWbxml(treeFromJson(tree))), seconds ?? undefined, name)
  }
})

void t.test('reads it from captured requests', async (t) => {
  t.equal(heartbeatSeconds('Ping', captureBody('12.1-plain-Ping request')), 6)
  t.equal(heartbeatSeconds('Ping', captureBody('14.1-base64-Ping-change request')), 60)
  t.equal(heartbeatSeconds('Sync', captureBody('14.0-plain-Sync-1 request')), undefined)
})

void t.test('gives none for a body that is empty or cannot be read up to it', async (t) => {
  t.equal(heartbeatSeconds('Ping', new Uint8Array()), undefined)
  t.equal(heartbeatSeconds('Ping', hexBytes('03016a00 000d 45 48 033438')), undefined)
  t.equal(heartbeatSeconds('Ping', hexBytes('03016a00 000d 45 85 48 0334383000 01 01')), undefined)
  t.equal(heartbeatSeconds('Ping', Buffer.from('<Ping/>')), undefined)
})

void t.test('reads past tokens that have no name', async (t) => {
  t.equal(heartbeatSeconds('Ping', hexBytes('03016a00 000d 45 7f 033900 01 48 0334383000 01 01')), 480)
})
