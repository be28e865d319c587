import t from 'tap'
import { hasBodyStatus, protocolVersions, versionFromByte, versionFromText } from '#eas/versions.ts'

void t.test('knows 2.5 to 16.1 by text, oldest first', async (t) => {
  t.strictSame(protocolVersions, ['2.5', '12.0', '12.1', '14.0', '14.1', '16.0', '16.1'])
  for (const version of protocolVersions) t.equal(versionFromText(version), version)
  for (const text of [
    '',
    '1.0',
    '2.0',
    '2.1',
    '14',
    '14.10',
    '014.1',
    ' 14.1',
    '14,1',
    '16.2',
    '141',
    '__proto__',
  ]) {
    t.equal(versionFromText(text), undefined, JSON.stringify(text))
  }
})

void t.test('knows 12.1 to 16.1 by the byte of a base64 query, T-08', async (t) => {
  const known = new Map([
    [0x79, '12.1'],
    [0x8c, '14.0'],
    [0x8d, '14.1'],
    [0xa0, '16.0'],
    [0xa1, '16.1'],
  ])
  for (let byte = 0; byte <= 0xff; byte++) t.equal(versionFromByte(byte), known.get(byte), `byte ${byte}`)
})

void t.test('refuses in the body from 14.0 on', async (t) => {
  t.strictSame(
    protocolVersions.filter((version) => hasBodyStatus(version)),
    ['14.0', '14.1', '16.0', '16.1'],
  )
  t.notOk(hasBodyStatus(undefined), 'no version header counts as an old one')
})
