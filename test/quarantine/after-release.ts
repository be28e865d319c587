import t from 'tap'
import { parseRequest } from '#eas/parse.ts'
import { encodeWbxml } from '#eas/wbxml/encode.ts'
import { answerAfterRelease } from '#quarantine/after-release.ts'
import { base64Query } from '../support/base64-query.ts'
import { answerJson, bodyBytes, easCommand, hierarchyKeyOf, quarantineRows } from '../support/quarantine.ts'
import { folderSyncRequest } from '../support/simulated-phone.ts'

void t.test(
  'sends who brings a key or id of ours to key 0, and keeps nothing else from Exchange',
  async (t) => {
    for (const { name, proves, versions, command, query, body, expected } of quarantineRows(
      'after-release',
    )) {
      for (const version of versions) {
        const answer = answerAfterRelease(easCommand(command, version, query), bodyBytes(body))
        const outcome = answer === undefined ? null : answerJson(answer)
        t.strictSame(outcome, expected, `${version}: ${name} [${proves}]`)
      }
    }
  },
)

/** SmartReply of an item, in a base64 query of 12.1. */
function smartReply(itemId: string) {
  const query = base64Query({
    version: 121,
    command: 3,
    deviceId: Buffer.from('PHONE1'),
    deviceType: 'T',
    parameters: [[3, Buffer.from(itemId)]],
  })
  const target = `/Microsoft-Server-ActiveSync?${query}`
  return parseRequest({ method: 'POST', target, httpVersion: '1.1', rawHeaders: ['Host', 'x.example'] })
}

void t.test('reads the item of a base64 query', async (t) => {
  const mail = Buffer.from('To: a@b.example\r\n\r\neasgate-inbox')
  t.match(answerAfterRelease(smartReply('easgate-inbox:AAAA'), mail), { status: 500 })
  t.equal(answerAfterRelease(smartReply('5:1'), mail), undefined)
})

void t.test('a body that cannot be read is for Exchange to refuse', async (t) => {
  const whole = encodeWbxml(folderSyncRequest(hierarchyKeyOf()))
  const request = easCommand('FolderSync', '14.1')
  t.ok(answerAfterRelease(request, whole))
  for (let length = 0; length < whole.length; length += 1) {
    t.equal(answerAfterRelease(request, whole.subarray(0, length)), undefined)
  }
})
