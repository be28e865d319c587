import t from 'tap'
import { readFactsJson } from '#directory/json.ts'

const alice = { user: 'alice@example.com', deviceId: 'ApplA', enrolled: true }

void t.test('reads a list, and an object with devices', async (t) => {
  const expected = { records: [{ place: 0, record: alice }], faults: [] }
  t.same(readFactsJson(JSON.stringify([alice])), expected)
  t.same(readFactsJson(JSON.stringify({ devices: [alice] })), expected)
})

void t.test('bad items are named by index, good items are kept', async (t) => {
  const items = [
    alice,
    { user: 'bob@example.com', colour: 'red' },
    { ...alice, deviceId: 'APPLA' },
    { user: 'c@d' },
  ]
  const { records, faults } = readFactsJson(JSON.stringify(items))
  t.same(
    records.map(({ place }) => place),
    [0, 3],
  )
  t.match(faults, [
    { place: 1, field: 'colour' },
    { place: 2, field: 'deviceId', message: 'already given in item 0' },
  ])
})

void t.test('two spellings of one id are one device', async (t) => {
  const hex = Buffer.from('ApplA').toString('hex')
  const { records, faults } = readFactsJson(JSON.stringify([alice, { ...alice, deviceId: hex }]))
  t.equal(records.length, 1)
  t.match(faults, [{ place: 1, field: 'deviceId' }])
})

void t.test('text that holds no list is one fault', async (t) => {
  for (const text of ['', '{', '3', 'null', '{}', '{"devices":{}}', '{"devices":[],"more":1}']) {
    t.match(readFactsJson(text), { records: [], faults: [{ place: 0, field: '' }] }, text)
    t.equal(readFactsJson(text).faults.length, 1, text)
  }
})
