import { mock } from 'node:test'
import t from 'tap'
import type { Change } from '#directory/changes.ts'
import type { Decision } from '#policy/decide.ts'
import type { Action } from '#policy/reasons.ts'
import { createParked, type OpenRequest, type Parked } from '#proxy/parked.ts'
import { createMetrics, type Metrics } from '#telemetry/metrics.ts'

function decision(action: Action, mode: Decision['mode'] = 'enforce'): Decision {
  return { action, reason: 'compliant', rule: 'compliance', mode, validUntil: Infinity }
}

interface TestRequest extends OpenRequest {
  readonly asked: () => number
  readonly ended: readonly Decision[]
}

/** An open request of alice's phone; `answer` is what a second look decides. */
function open(answer: Decision, fields: Partial<OpenRequest> = {}): TestRequest {
  const ended: Decision[] = []
  let asked = 0
  return {
    user: 'alice@example.com',
    deviceKey: 'phone',
    validUntil: Infinity,
    decideAgain: () => {
      asked++
      return answer
    },
    end: (final) => ended.push(final),
    asked: () => asked,
    ended,
    ...fields,
  }
}

async function gauge(metrics: Metrics): Promise<number | undefined> {
  return (await metrics.parkedRequests.get()).values[0]?.value
}

async function revocations(metrics: Metrics): Promise<readonly (number | undefined)[]> {
  const { values } = await metrics.revocationSeconds.get()
  const count = values.find(({ metricName }) => metricName === 'easgate_revocation_duration_seconds_count')
  return [(await metrics.revocations.get()).values[0]?.value, count?.value]
}

const device: Change = { kind: 'device', revision: 2, user: 'alice@example.com', deviceKey: 'phone' }

void t.test('ends what would be refused now, once, and counts it (T-53)', async (t) => {
  const metrics = createMetrics()
  const parked = createParked(metrics, Date.now)
  t.teardown(parked.close)
  const refused = open(decision('block'))
  parked.enter(refused)
  t.equal(await gauge(metrics), 1)
  parked.apply([device])
  t.strictSame(refused.ended, [decision('block')])
  t.strictSame(await revocations(metrics), [1, 1])
  t.equal(await gauge(metrics), 0)
  parked.apply([device])
  parked.leave(refused)
  t.equal(refused.ended.length, 1)
  t.equal(refused.asked(), 1)
  t.equal(parked.size(), 0)
})

void t.test('every refusal ends it: a Ping that stays open beside a 503 would be an allow', async (t) => {
  const parked = createParked(createMetrics(), Date.now)
  t.teardown(parked.close)
  for (const action of ['block', 'quarantine', 'redirect', 'unavailable', 'reject'] as const) {
    const request = open(decision(action))
    parked.enter(request)
    parked.apply([device])
    t.equal(request.ended.length, 1, action)
  }
})

void t.test('leaves open what is still allowed, or only reported', async (t) => {
  const metrics = createMetrics()
  const parked = createParked(metrics, Date.now)
  t.teardown(parked.close)
  const requests = [decision('allow'), decision('block', 'report-only')].map((answer) => open(answer))
  for (const request of requests) parked.enter(request)
  parked.apply([device])
  for (const request of requests) t.strictSame([request.asked(), request.ended.length], [1, 0])
  t.equal(parked.size(), 2)
  t.strictSame(await revocations(metrics), [0, 0])
})

void t.test('asks nothing of a request that has left', async (t) => {
  const metrics = createMetrics()
  const parked = createParked(metrics, Date.now)
  t.teardown(parked.close)
  const request = open(decision('block'))
  parked.enter(request)
  parked.leave(request)
  parked.leave(request)
  parked.apply([device])
  t.equal(request.asked(), 0)
  t.equal(await gauge(metrics), 0)
})

/** Which of these are looked at again for a change. */
async function concerned(changes: readonly Change[]): Promise<string[]> {
  const parked = createParked(createMetrics(), Date.now)
  const requests = {
    phone: open(decision('allow')),
    tablet: open(decision('allow'), { deviceKey: 'tablet' }),
    options: open(decision('allow'), { deviceKey: undefined }),
    bobsPhone: open(decision('allow'), { user: 'bob@example.com' }),
    bobsTablet: open(decision('allow'), { user: 'bob@example.com', deviceKey: 'tablet-2' }),
  }
  for (const request of Object.values(requests)) parked.enter(request)
  parked.apply(changes)
  parked.close()
  return Object.entries(requests)
    .filter(([, request]) => request.asked() === 1)
    .map(([name]) => name)
}

const everything = ['phone', 'tablet', 'options', 'bobsPhone', 'bobsTablet']

void t.test('a change concerns the device under whoever has it, or the user with every device', async (t) => {
  t.strictSame(await concerned([device]), ['phone', 'bobsPhone'], 'the owner of an id counts for both (T-14)')
  const user: Change = { kind: 'user', revision: 2, user: 'alice@example.com', names: ['al@example.com'] }
  t.strictSame(await concerned([user]), ['phone', 'tablet', 'options'])
  const renamed: Change = { kind: 'user', revision: 2, user: 'x@example.com', names: ['bob@example.com'] }
  t.strictSame(await concerned([renamed]), ['bobsPhone', 'bobsTablet'], 'by the name it had')
  t.strictSame(await concerned([device, user, device]), ['phone', 'tablet', 'options', 'bobsPhone'])
  t.strictSame(await concerned([]), [])
  t.strictSame(await concerned([{ ...device, deviceKey: 'nobody' }]), [])
})

void t.test('a policy, and sources that become complete, concern everything', async (t) => {
  t.strictSame(await concerned([{ kind: 'policy', revision: 2 }]), everything)
  t.strictSame(
    await concerned([{ kind: 'sources', revision: 2, complete: true, unreadGroups: [] }]),
    everything,
  )
})

/** Enters many and applies a policy; a look takes a millisecond of the injected clock. */
async function slices(parked: Parked, elapse: (ms: number) => void, count: number): Promise<number[]> {
  const sizes: number[] = []
  let size = 0
  for (let number = 0; number < count; number++) {
    const request: OpenRequest = {
      ...open(decision('allow')),
      decideAgain: () => {
        elapse(1)
        size++
        return decision('allow')
      },
    }
    parked.enter(request)
  }
  parked.apply([{ kind: 'policy', revision: 2 }])
  let sum = 0
  while (sum < count) {
    sizes.push(size)
    sum += size
    size = 0
    await new Promise((resolve) => setImmediate(resolve))
  }
  return sizes
}

void t.test('looks again in slices of 5 ms, and others get their turn between (T-52)', async (t) => {
  let clock = 0
  const parked = createParked(createMetrics(), Date.now, () => clock)
  t.teardown(parked.close)
  const sizes = await slices(parked, (ms) => (clock += ms), 100)
  t.equal(
    sizes.reduce((sum, size) => sum + size, 0),
    100,
  )
  t.ok(Math.max(...sizes) <= 6, `no slice is longer than 5 ms and one look: ${sizes.join(' ')}`)
  t.ok(sizes.length >= 17)
})

void t.test('many that are looked at fast are one slice', async (t) => {
  const parked = createParked(createMetrics(), Date.now, () => 0)
  t.teardown(parked.close)
  t.strictSame(await slices(parked, () => undefined, 1000), [1000])
})

void t.test('what leaves between two slices is not asked', async (t) => {
  let clock = 0
  const parked = createParked(createMetrics(), Date.now, () => clock)
  t.teardown(parked.close)
  const requests = Array.from({ length: 3 }, () => open(decision('block')))
  const slow = open(decision('allow'), {
    decideAgain: () => {
      clock += 100
      return decision('allow')
    },
  })
  for (const request of [slow, ...requests]) parked.enter(request)
  parked.apply([{ kind: 'policy', revision: 2 }])
  const [leaving, ...staying] = requests
  if (leaving !== undefined) parked.leave(leaving)
  t.strictSame(
    requests.map(({ asked }) => asked()),
    [0, 0, 0],
    'they wait for the next slice',
  )
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(leaving?.ended.length, 0)
  for (const request of staying) t.equal(request.ended.length, 1)
})

void t.test('the time from a change to the end counts the wait for the slice', async (t) => {
  let clock = 0
  const metrics = createMetrics()
  const parked = createParked(metrics, Date.now, () => clock)
  t.teardown(parked.close)
  const slow = open(decision('allow'), {
    decideAgain: () => {
      clock += 700
      return decision('allow')
    },
  })
  parked.enter(slow)
  parked.enter(open(decision('block')))
  parked.apply([{ kind: 'policy', revision: 2 }])
  await new Promise((resolve) => setImmediate(resolve))
  const { values } = await metrics.revocationSeconds.get()
  const sum = values.find(({ metricName }) => metricName === 'easgate_revocation_duration_seconds_sum')
  t.equal(sum?.value, 0.7)
})

void t.test('looks again when time alone could have changed the answer, within a second', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  let now = 1000
  const parked = createParked(createMetrics(), () => now)
  t.teardown(parked.close)
  const grace = open(decision('block'), { validUntil: 5000 })
  const later = open(decision('block'), { validUntil: 60_000 })
  const forever = open(decision('block'))
  for (const request of [grace, later, forever]) parked.enter(request)
  now = 4999
  mock.timers.tick(1000)
  t.equal(grace.asked(), 0)
  now = 5000
  mock.timers.tick(1000)
  t.equal(grace.ended.length, 1)
  t.strictSame([later.asked(), forever.asked()], [0, 0])
})

void t.test('an answer that a change made temporary is looked at again when it ends', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  let now = 1000
  const parked = createParked(createMetrics(), () => now)
  t.teardown(parked.close)
  const ended: Decision[] = []
  let asked = 0
  parked.enter({
    ...open(decision('allow')),
    decideAgain: () => {
      asked++
      return now < 5000 ? { ...decision('allow'), validUntil: 5000 } : decision('block')
    },
    end: (final) => ended.push(final),
  })
  parked.apply([device])
  now = 4999
  mock.timers.tick(3000)
  t.strictSame([asked, ended.length], [1, 0])
  now = 5000
  mock.timers.tick(1000)
  t.strictSame(ended, [decision('block')])
})

void t.test('an answer that time has confirmed is not asked for again each second', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const parked = createParked(createMetrics(), () => 6000)
  t.teardown(parked.close)
  const extended = open(decision('allow'), { validUntil: 5000 })
  parked.enter(extended)
  mock.timers.tick(10_000)
  t.equal(extended.asked(), 1)
})

void t.test('a closed register looks no more', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const parked = createParked(createMetrics(), () => 10_000)
  const due = open(decision('block'), { validUntil: 5000 })
  parked.enter(due)
  parked.close()
  mock.timers.tick(5000)
  t.equal(due.asked(), 0)
})
