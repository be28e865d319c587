import { array, assert, constantFrom, property } from 'fast-check'
import t from 'tap'
import { deviceKey } from '#eas/device-id.ts'
import { isBetterRecord, type LinkedRecord, linkKey, matchRecords } from '#directory/match.ts'
import type { DeviceRecord } from '#directory/merge.ts'
import rows from '../fixtures/directory/match.json' with { type: 'json' }

void t.test('ids that differ in case and hyphens alone have one link key', async (t) => {
  for (const { ids, key } of rows.keys) for (const id of ids) t.equal(linkKey(id), key, id)
})

void t.test('a link key is its own, whatever the spelling, and that of the device key', async (t) => {
  const letters = array(constantFrom(...'aB-_.0123456789dD'.split('')), { minLength: 1, maxLength: 64 })
  const id = letters.map((parts) => parts.join(''))
  assert(
    property(id, (text) => {
      const key = linkKey(text)
      return !key.includes('-') && linkKey(key) === key && linkKey(deviceKey(text)) === key
    }),
  )
  t.pass()
})

void t.test('the records that stand for an id', async (t) => {
  for (const { title, direct, linked, matched } of rows.matches) {
    t.strictSame(
      matchRecords(direct as readonly DeviceRecord[], linked as readonly LinkedRecord[], 'asked'),
      matched,
      title,
    )
  }
})

void t.test('an enrolled record is better, then the one that checked in last', async (t) => {
  for (const { title, given, held, better } of rows.better) {
    t.equal(isBetterRecord(given, held), better, title)
  }
})
