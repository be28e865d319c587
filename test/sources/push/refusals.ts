import t from 'tap'
import { createRefusals } from '#sources/push/refusals.ts'

function refusalsTest() {
  const time = { now: 0 }
  const told: { readonly [field: string]: unknown }[] = []
  const refusals = createRefusals({
    name: 'push',
    log: { warn: (line: object) => void told.push({ ...line }) } as never,
    now: () => time.now,
  })
  return { ...refusals, time, told }
}

void t.test('an address is limited after a hundred, and comes back at twenty a second', async (t) => {
  const { isLimited, note, time } = refusalsTest()
  for (let refused = 0; refused < 100; refused++) note('192.0.2.1', 'unsigned')
  t.equal(isLimited('192.0.2.1'), false)
  note('192.0.2.1', 'unsigned')
  t.equal(isLimited('192.0.2.1'), true)
  t.equal(isLimited('192.0.2.2'), false)
  time.now = 50
  t.equal(isLimited('192.0.2.1'), false)
  time.now = 60_000
  for (let refused = 0; refused < 101; refused++) note('192.0.2.1', 'unsigned')
  t.equal(isLimited('192.0.2.1'), true, 'no more than a hundred are saved up')
})

void t.test('a reason is told once a minute, with how many there were (T-51)', async (t) => {
  const { note, time, told } = refusalsTest()
  for (let refused = 0; refused < 5; refused++) note('192.0.2.1', 'replayed')
  note('192.0.2.2', 'unsigned')
  time.now = 60_000
  note('192.0.2.3', 'replayed')
  t.strictSame(told, [
    { source: 'push', address: '192.0.2.1', refusal: 'replayed', others: 0 },
    { source: 'push', address: '192.0.2.2', refusal: 'unsigned', others: 0 },
    { source: 'push', address: '192.0.2.3', refusal: 'replayed', others: 4 },
  ])
})
