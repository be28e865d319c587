import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readFactsFile } from '#sources/read-facts-file.ts'

const { signal } = new AbortController()

void t.test('hands over every row and fault, in order, however many parts there are', async (t) => {
  const path = join(t.testdir(), 'facts.csv')
  const rows = Array.from(
    { length: 1234 },
    (_, number) => `u${number}@example.com,${number % 10 === 0 ? 'a b' : `id${number}`}`,
  )
  writeFileSync(path, ['user,deviceId', ...rows].join('\n'))
  const { records, faults } = await readFactsFile(path, signal)
  t.equal(records.length, 1234 - 124)
  t.same(records[0], { user: 'u1@example.com', deviceId: 'id1' })
  t.same(records.at(-1), { user: 'u1233@example.com', deviceId: 'id1233' })
  t.same(
    faults.map(({ place }) => place),
    Array.from({ length: 124 }, (_, index) => 2 + 10 * index),
  )
})

void t.test('a file that cannot be read rejects with the reason', async (t) => {
  await t.rejects(readFactsFile(join(t.testdir(), 'none.csv'), signal), { code: 'ENOENT' })
})

void t.test('the reading ends when it is called off', async (t) => {
  const path = join(t.testdir({ 'facts.json': '[]' }), 'facts.json')
  await t.rejects(readFactsFile(path, AbortSignal.abort()), { name: 'AbortError' })
})
