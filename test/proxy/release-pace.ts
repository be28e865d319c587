import t from 'tap'
import { createReleasePace } from '#proxy/release-pace.ts'

void t.test('who is alone has a turn at once', async (t) => {
  const pace = createReleasePace<string>({ perSecond: 10, random: () => 0 })
  pace.add('one', 1000)
  t.strictSame(pace.take(999), [])
  t.strictSame(pace.take(1000), ['one'])
  t.strictSame(pace.take(9000), [], 'and has it once')
  pace.add('two', 20_000)
  t.strictSame(pace.take(20_000), ['two'], 'time that nobody used is not saved up')
  pace.add('three', 20_000)
  pace.add('four', 20_000)
  t.strictSame(pace.take(20_000), [])
  t.strictSame(pace.take(20_200), ['three', 'four'])
})

void t.test('chance moves each turn within its own time, and keeps their order', async (t) => {
  const pace = createReleasePace<number>({ perSecond: 10 })
  const numbers = Array.from({ length: 100 }, (_, number) => number)
  for (const number of numbers) pace.add(number, 0)
  const turns: { readonly number: number; readonly at: number }[] = []
  for (let at = 0; at <= 10_000; at++) for (const number of pace.take(at)) turns.push({ number, at })
  t.strictSame(
    turns.map(({ number }) => number),
    numbers,
  )
  for (const { number, at } of turns)
    t.ok(at >= number * 100 && at <= (number + 1) * 100, `${number} at ${at}`)
  t.ok(new Set(turns.map(({ number, at }) => at - number * 100)).size > 20, 'they do not step together')
})

void t.test('a slow pace does not make a lone one wait', async (t) => {
  const pace = createReleasePace<string>({ perSecond: 0.1, random: () => 0.999 })
  pace.add('one', 0)
  t.strictSame(pace.take(500), ['one'])
})
