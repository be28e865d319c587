import t from 'tap'
import { EasError } from '#eas/errors.ts'
import { protocolVersions } from '#eas/versions.ts'
import { decodeWbxml } from '#eas/wbxml/decode.ts'
import { answerQuarantined, readsBody } from '#quarantine/answer-quarantined.ts'
import {
  ask,
  bodyBytes,
  easCommand,
  outcomeJson,
  quarantineRows,
  testMailbox,
  textsAt,
  treeOf,
} from '../support/quarantine.ts'
import { captureBody, hexBytes, treeToJson, wbxmlFixture, type TreeJson } from '../support/wbxml-fixtures.ts'

const tables = [
  'folder-sync',
  'sync',
  'bodies',
  'ping',
  'get-item-estimate',
  'item-operations',
  'settings',
  'provision',
  'refusals',
]

for (const table of tables) {
  void t.test(`answers ${table} as the table says, version by version`, async (t) => {
    for (const { name, proves, versions, command, body, expected } of quarantineRows(table)) {
      for (const version of versions) {
        t.strictSame(outcomeJson(ask(command, version, body)), expected, `${version}: ${name} [${proves}]`)
      }
    }
  })
}

/** Examples of protocol.md, each with the request that it answers. */
const examples: readonly (readonly [example: string, ...request: Parameters<typeof ask>])[] = [
  ['FolderSync response, one inbox', 'FolderSync', '14.1', folderSync('0')],
  ['FolderSync response, resync', 'FolderSync', '14.1', folderSync('5')],
  ['Sync response to key 0 (14.0+)', 'Sync', '14.0', sync('0')],
  ['Sync response, collection told to restart', 'Sync', '14.1', sync('5')],
  ['Sync response, one mail (14.1)', 'Sync', '14.1', sync('$key 0 none')],
  ['GetItemEstimate response (14.0+)', 'GetItemEstimate', '14.0', getItemEstimate('$key 0 none')],
  ['Settings DeviceInformation response', 'Settings', '14.1', deviceInformation()],
  ['Provision first response, permissive', 'Provision', '14.1', example('Provision first request (14.1+)')],
]

void t.test('gives the elements of the examples of protocol.md, in their order', async (t) => {
  for (const [name, ...request] of examples) {
    t.strictSame(namesOf(treeOf(ask(...request))), namesOf(treeToJson(decodeWbxml(example(name)))), name)
  }
})

void t.test('gives what a device says of itself back, to be remembered', async (t) => {
  const said = captureBody('14.1-plain-Settings request')
  t.match(ask('Settings', '14.1', said), { information: { model: 'iPhone14C2' } })
  const provision = example('Provision first request (14.1+)')
  t.match(ask('Provision', '14.1', provision), { information: { model: 'iPhone10C5', os: /^iOS 12/ } })
  t.notOk('information' in ask('Settings', '14.1', ['Settings:Settings', ['Settings:Oof', ['Settings:Get']]]))
})

void t.test('a request without a version is one of 2.5', async (t) => {
  const mailbox = testMailbox()
  const body = bodyBytes(sync('0'))
  const answer = answerQuarantined(easCommand('Sync', undefined), body, mailbox)
  t.strictSame(answer, ask('Sync', '2.5', sync('0')))
})

void t.test('refuses a body that is no document of the command', async (t) => {
  for (const version of protocolVersions) {
    t.throws(() => ask('Sync', version, Buffer.from('no WBXML')), EasError)
    t.throws(() => ask('Sync', version, bodyBytes(folderSync('0'))), { code: 'EAS_WBXML_STRUCTURE' })
    t.throws(() => ask('Ping', version, bodyBytes(sync('0')).subarray(0, -1)), {
      code: 'EAS_WBXML_TRUNCATED',
    })
  }
})

void t.test('does not read the body of what it denies: it may be a mail', async (t) => {
  const mail = Buffer.from('To: a@b.example\r\n\r\nHello')
  t.strictSame(ask('SendMail', '12.1', mail), ask('SendMail', '12.1', null))
  t.strictSame(ask('SmartReply', '16.1', mail), ask('SmartReply', '16.1', null))
  const denied = [
    'SendMail',
    'SmartReply',
    'SmartForward',
    'GetAttachment',
    'Find',
    'Options',
    'none',
  ] as const
  for (const command of denied) t.notOk(readsBody(command), command)
  for (const command of ['Sync', 'Ping', 'Settings'] as const) t.ok(readsBody(command), command)
})

void t.test('a NUL that a client hides in bytes does not end the answer', async (t) => {
  const hidden: TreeJson = ['Move:SrcMsgId', { opaque: '610062' }]
  const moved = ask('MoveItems', '14.1', ['Move:MoveItems', ['Move:Move', hidden]])
  t.strictSame(textsAt(treeOf(moved), 'Move:Response', 'Move:SrcMsgId'), ['ab'])
})

function folderSync(syncKey: string): TreeJson {
  return ['FolderHierarchy:FolderSync', ['FolderHierarchy:SyncKey', syncKey]]
}

function sync(syncKey: string): TreeJson {
  const collection: TreeJson = [
    'AirSync:Collection',
    ['AirSync:SyncKey', syncKey],
    ['AirSync:CollectionId', 'easgate-inbox'],
  ]
  return ['AirSync:Sync', ['AirSync:Collections', collection]]
}

function getItemEstimate(syncKey: string): TreeJson {
  const collection: TreeJson = [
    'GetItemEstimate:Collection',
    ['AirSync:SyncKey', syncKey],
    ['GetItemEstimate:CollectionId', 'easgate-inbox'],
  ]
  return ['GetItemEstimate:GetItemEstimate', ['GetItemEstimate:Collections', collection]]
}

function deviceInformation(): TreeJson {
  return ['Settings:Settings', ['Settings:DeviceInformation', ['Settings:Set', ['Settings:Model', 'M']]]]
}

function example(name: string): Buffer {
  const rows = wbxmlFixture('examples.json') as readonly { readonly name: string; readonly hex: string }[]
  const row = rows.find((one) => one.name === name)
  if (row === undefined) throw new Error(`no example ${name}`)
  return hexBytes(row.hex)
}

/** The element names of a document, nested as they are. */
function namesOf([name, ...content]: TreeJson): unknown {
  return [name, ...content.filter((part) => Array.isArray(part)).map((part) => namesOf(part))]
}
