import t from 'tap'
import { readDeviceInformation, type DeviceInformation } from '#eas/device-information.ts'
import { element } from '#eas/wbxml/element.ts'
import { encodeWbxml } from '#eas/wbxml/encode.ts'
import {
  captureBody,
  hexBytes,
  treeFromJson,
  wbxmlFixture,
  type TreeJson,
} from '../support/wbxml-fixtures.ts'

interface Case {
  readonly name: string
  readonly tree: TreeJson
  readonly found: DeviceInformation | null
}

/** A Settings request that gives one model. */
function settingsWithModel(model: string): Buffer {
  const set = element('Settings:Set', element('Settings:Model', model))
  return encodeWbxml(element('Settings:Settings', element('Settings:DeviceInformation', set)))
}

void t.test('reads what the client says of its device, and nothing else', async (t) => {
  for (const { name, tree, found } of wbxmlFixture('device-information.json') as Case[]) {
    t.strictSame(readDeviceInformation(encodeWbxml(treeFromJson(tree))), found ?? undefined, name)
  }
})

void t.test('reads it from captured requests', async (t) => {
  t.strictSame(readDeviceInformation(captureBody('14.1-plain-Settings request')), {
    model: 'iPhone14C2',
    imei: '000000000000000',
    friendlyName: 'iPhone of alice',
    os: 'iOS 16.5 20F66',
    osLanguage: 'en',
    userAgent: 'Apple-iPhone14C2/2005.61',
  })
  t.match(readDeviceInformation(captureBody('14.1-base64-Provision-1 request')), { os: 'Outlook 1.0' })
  t.equal(readDeviceInformation(captureBody('14.1-base64-Provision-2 request')), undefined)
  t.equal(readDeviceInformation(captureBody('14.1-base64-Provision-1 response')), undefined)
})

void t.test('cuts a value to 1024 characters and leaves no half character', async (t) => {
  t.equal(readDeviceInformation(settingsWithModel('m'.repeat(1024)))?.model, 'm'.repeat(1024))
  t.equal(readDeviceInformation(settingsWithModel('m'.repeat(100_000)))?.model, 'm'.repeat(1024))
  t.equal(
    readDeviceInformation(settingsWithModel(`${'m'.repeat(1023)}😀`))?.model,
    `${'m'.repeat(1023)}\ufffd`,
  )
})

void t.test('gives what stands before the place where a body cannot be read on', async (t) => {
  const body = captureBody('14.1-plain-Settings request')
  t.strictSame(readDeviceInformation(body.subarray(0, 22)), { model: 'iPhone14C2' })
  t.equal(readDeviceInformation(body.subarray(0, 8)), undefined)
  t.equal(readDeviceInformation(new Uint8Array()), undefined)
  t.equal(readDeviceInformation(Buffer.from('<Settings/>')), undefined)
})

void t.test('reads past tokens that have no name', async (t) => {
  // Set{token 3F{x}, Model{y}}
  const body = hexBytes('03016a00 0012 45 56 48 7f 037800 01 57 037900 01 01 01 01')
  t.strictSame(readDeviceInformation(body), { model: 'y' })
})
