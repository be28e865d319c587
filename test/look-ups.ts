import t from 'tap'
import type { FactsSource } from '#directory/facts-source.ts'
import { createLookUps } from '../src/look-ups.ts'

/** A source that notes what it is asked, and answers when it is let. */
function askedSource(name: string, answer: () => Promise<void> = async () => undefined) {
  const asked: string[] = []
  const source: FactsSource = {
    name,
    start: async () => undefined,
    refresh: async (user, deviceId) => {
      asked.push(`${user} ${deviceId}`)
      await answer()
    },
    status: () => ({ records: 0, faults: 0 }),
  }
  return { source, asked }
}

const whole: FactsSource = {
  name: 'file',
  start: async () => undefined,
  status: () => ({ records: 0, faults: 0 }),
}

function lookUpsOf(...sources: readonly FactsSource[]) {
  const warned: unknown[] = []
  const clock = { time: 0, now: () => clock.time }
  const order: string[] = []
  const lookUps = createLookUps({
    sources,
    enforced: async () => void order.push('enforced'),
    log: { warn: (...args: unknown[]) => void warned.push(args) },
    clock,
  })
  return { ...lookUps, clock, warned, order }
}

void t.test('where no source can be asked for one device nothing is asked', async (t) => {
  const { lookUp, order } = lookUpsOf(whole)
  t.equal(await lookUp('alice@example.com', 'Phone1'), 'none')
  t.strictSame(order, [])
})

void t.test('asks every source that can be, and answers when the facts are in force', async (t) => {
  const one = askedSource('one')
  const two = askedSource('two')
  const { lookUp, order } = lookUpsOf(one.source, whole, two.source)
  t.equal(await lookUp('alice@example.com', 'Phone1'), 'answered')
  t.strictSame([one.asked, two.asked], [['alice@example.com Phone1'], ['alice@example.com Phone1']])
  t.strictSame(order, ['enforced'])
})

void t.test('one flight a pair: whoever asks meanwhile gets its answer (T-51)', async (t) => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const { source, asked } = askedSource('slow', () => promise)
  const { lookUp } = lookUpsOf(source)
  const both = [lookUp('alice@example.com', 'Phone1'), lookUp('alice@example.com', 'PHONE1')]
  const other = lookUp('alice@example.com', 'Phone2')
  resolve()
  t.strictSame(await Promise.all([...both, other]), ['answered', 'answered', 'answered'])
  t.strictSame(asked, ['alice@example.com Phone1', 'alice@example.com Phone2'])
})

void t.test('a pair is asked for once in ten seconds', async (t) => {
  const { source, asked } = askedSource('one')
  const { lookUp, clock } = lookUpsOf(source)
  clock.time = 1
  await lookUp('alice@example.com', 'Phone1')
  clock.time += 9999
  await lookUp('alice@example.com', 'Phone1')
  t.equal(asked.length, 1)
  clock.time += 2
  await lookUp('alice@example.com', 'Phone1')
  t.equal(asked.length, 2)
})

void t.test('one source that fails is told, and what the others said is in force', async (t) => {
  const bad = askedSource('bad', async () => {
    throw new Error('no answer')
  })
  const good = askedSource('good')
  const { lookUp, warned, order } = lookUpsOf(bad.source, good.source)
  t.equal(await lookUp('alice@example.com', 'Phone1'), 'failed')
  t.match(warned, [[{ source: 'bad', err: { message: 'no answer' } }]])
  t.strictSame(order, ['enforced'])
})
