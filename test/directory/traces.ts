import t from 'tap'
import { createTraceBatch, type TracedRequest } from '#directory/traces.ts'
import { explained, tracedRequest, traceReport } from '../support/traces.ts'

/** A batch with a clock that the test sets, and the number of explanations that were asked for. */
function batchOf(max = 100, remembered = 100) {
  const clock = { at: 1000, now: () => clock.at }
  const batch = createTraceBatch({ max, remembered, clock })
  const asked = { explanations: 0 }
  let number = 0
  const add = (fields: Partial<TracedRequest> = {}) => {
    number++
    batch.add({
      ...tracedRequest,
      requestId: `r-${number}`,
      at: number,
      explain: () => {
        asked.explanations++
        return explained
      },
      ...fields,
    })
  }
  return { batch, clock, asked, add }
}

const refused = tracedRequest.identity
const allowed = { ...refused, action: 'allow', reason: 'compliant' } as const

void t.test('a refusal is explained once, and counted', async (t) => {
  const { batch, asked, add } = batchOf()
  add()
  add()
  add()
  t.strictSame(batch.drain(), {
    traces: [traceReport({ requests: 3, requestId: 'r-1', lastRequestId: 'r-3', lastAt: 3 })],
    dropped: 0,
  })
  t.equal(asked.explanations, 1)
  t.strictSame(batch.drain(), { traces: [], dropped: 0 })
})

void t.test('a phone that comes back every second is told of once a minute', async (t) => {
  const { batch, clock, asked, add } = batchOf()
  add()
  t.equal(batch.drain().traces.length, 1)
  for (let second = 0; second < 60; second++) {
    add()
    t.strictSame(batch.drain().traces, [], `second ${second}`)
    clock.at += 1000
  }
  const [repeat, ...others] = batch.drain().traces
  t.strictSame(others, [])
  t.match(repeat, { requests: 60, requestId: 'r-2', lastRequestId: 'r-61', lastAt: 61 })
  t.equal(repeat?.explained, undefined)
  t.equal(asked.explanations, 1)
})

void t.test('what waits is given at the end of the process', async (t) => {
  const { batch, add } = batchOf()
  add()
  batch.drain()
  add()
  t.strictSame(batch.drain().traces, [])
  t.match(batch.drain(true).traces, [{ requests: 1 }])
})

void t.test('anything that could have changed the answer makes another trace', async (t) => {
  const { batch, asked, add } = batchOf()
  add()
  const changes: Partial<TracedRequest>[] = [
    { user: 'bob@example.com' },
    { deviceKey: 'other' },
    { identity: { ...refused, action: 'quarantine' } },
    { identity: { ...refused, reason: 'jailbroken' } },
    { identity: { ...refused, rule: 'compliance: another' } },
    { identity: { ...refused, policyRevision: 2 } },
    { identity: { ...refused, policyDigest: 'other' } },
    { identity: { ...refused, factsRevision: 99 } },
  ]
  for (const change of changes) add(change)
  t.equal(asked.explanations, changes.length + 1)
  t.equal(batch.drain().traces.length, changes.length + 1)
})

void t.test('an allow is told where it changed the answer, and then no more', async (t) => {
  const { batch, asked, add } = batchOf()
  add()
  add({ identity: allowed })
  add({ identity: allowed })
  add({ identity: { ...allowed, factsRevision: 99 } })
  t.strictSame(
    batch.drain().traces.map(({ action, requests }) => [action, requests]),
    [
      ['block', 1],
      ['allow', 1],
    ],
  )
  add({ identity: { ...allowed, reason: 'in-grace-period' } })
  t.equal(batch.drain().traces.length, 1, 'another reason is another answer')
  t.equal(asked.explanations, 3)
})

void t.test('an explanation is made anew after an hour: the store may have dropped it', async (t) => {
  const { batch, clock, asked, add } = batchOf()
  add()
  batch.drain()
  clock.at += 3_600_001
  add()
  t.equal(asked.explanations, 2)
  t.match(batch.drain().traces, [{ requests: 1, explained: { reason: 'noncompliant' } }])
})

void t.test(
  'it is bounded; what does not fit is counted, and explained when it comes again (T-51)',
  async (t) => {
    const { batch, asked, add } = batchOf(2)
    for (const deviceKey of ['a', 'b', 'c', 'a']) add({ deviceKey })
    const { traces, dropped } = batch.drain()
    t.strictSame(
      traces.map(({ deviceKey, requests }) => [deviceKey, requests]),
      [
        ['a', 2],
        ['b', 1],
      ],
    )
    t.equal(dropped, 1)
    add({ deviceKey: 'c' })
    t.match(batch.drain(), { traces: [{ deviceKey: 'c', explained: {} }], dropped: 0 })
    t.equal(asked.explanations, 3)
  },
)

void t.test('repeats are bounded too (T-51)', async (t) => {
  const { batch, add } = batchOf(100, 3)
  const keys = ['a', 'b', 'c']
  for (const deviceKey of keys) add({ deviceKey })
  batch.drain()
  for (const deviceKey of keys) add({ deviceKey })
  t.equal(batch.drain().dropped, 0)
  add({ deviceKey: 'd' })
  add({ deviceKey: 'd' })
  batch.drain()
  add({ deviceKey: 'd' })
  t.strictSame(batch.drain(), { traces: [], dropped: 1 })
})

void t.test('lists are cut: a user may be in two thousand groups (T-51)', async (t) => {
  const { batch, add } = batchOf()
  const groups = Array.from({ length: 2000 }, (_, number) => `group ${number}`)
  const fields = { groups: { value: groups, source: 'file', asOf: null } }
  add({ explain: () => ({ ...explained, fields }) })
  const [trace] = batch.drain().traces
  t.match(trace?.explained?.fields['groups'], { value: { length: 100 }, source: 'file' })
  t.equal(groups.length, 2000)
})
