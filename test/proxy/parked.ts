import { mock } from 'node:test'
import t, { type Test } from 'tap'
import type { Change } from '#directory/changes.ts'
import { createParked, type Fate, type OpenRequest, type Parked, type ParkedOptions } from '#proxy/parked.ts'
import { createMetrics, type Metrics } from '#telemetry/metrics.ts'

function register(t: Test, options: Partial<ParkedOptions> = {}): Parked {
  const parked = createParked({
    metrics: createMetrics(),
    maxWaiting: 1000,
    releasePerSecond: 1000,
    now: Date.now,
    random: () => 0,
    ...options,
  })
  t.teardown(parked.close)
  return parked
}

interface TestRequest extends OpenRequest {
  readonly asked: () => number
  /** How it ended, in order: `revoked`, `answered`, `released`, `over`. */
  readonly ended: readonly string[]
}

type Look = Fate['kind'] | (() => Fate['kind'])

/** An open request of alice's phone; `look` is what a second look finds. */
function open(look: Look, fields: Partial<OpenRequest> = {}): TestRequest {
  const ended: string[] = []
  let asked = 0
  return {
    user: 'alice@example.com',
    deviceKey: 'phone',
    validUntil: Infinity,
    judge: () => {
      asked++
      const kind = typeof look === 'string' ? look : look()
      return kind === 'stays' ? { kind, validUntil: Infinity } : { kind, end: () => ended.push(kind) }
    },
    asked: () => asked,
    ended,
    ...fields,
  }
}

/** One of ours, that waits. */
function waiting(look: Look, { name = 'ping', seconds = 600, ...fields } = {}): TestRequest {
  const request = open(look, fields)
  const over = () => (request.ended as string[]).push('over')
  return { ...request, wait: { name, seconds, over } }
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
  const parked = register(t, { metrics })
  const refused = open('revoked')
  parked.enter(refused)
  t.equal(await gauge(metrics), 1)
  parked.apply([device])
  t.strictSame(refused.ended, ['revoked'])
  t.strictSame(await revocations(metrics), [1, 1])
  t.equal(await gauge(metrics), 0)
  parked.apply([device])
  parked.leave(refused)
  t.equal(refused.ended.length, 1)
  t.equal(refused.asked(), 1)
  t.equal(parked.size(), 0)
})

void t.test('leaves open what may stay', async (t) => {
  const metrics = createMetrics()
  const parked = register(t, { metrics })
  const request = open('stays')
  parked.enter(request)
  parked.apply([device])
  t.strictSame([request.asked(), request.ended.length], [1, 0])
  t.equal(parked.size(), 1)
  t.strictSame(await revocations(metrics), [0, 0])
})

void t.test('asks nothing of a request that has left', async (t) => {
  const metrics = createMetrics()
  const parked = register(t, { metrics })
  const request = open('revoked')
  parked.enter(request)
  parked.leave(request)
  parked.leave(request)
  parked.apply([device])
  t.equal(request.asked(), 0)
  t.equal(await gauge(metrics), 0)
})

/** Which of these are looked at again for a change. */
function concerned(t: Test, changes: readonly Change[]): string[] {
  const parked = register(t)
  const requests = {
    phone: open('stays'),
    tablet: open('stays', { deviceKey: 'tablet' }),
    options: open('stays', { deviceKey: undefined }),
    bobsPhone: open('stays', { user: 'bob@example.com' }),
    bobsTablet: open('stays', { user: 'bob@example.com', deviceKey: 'tablet-2' }),
  }
  for (const request of Object.values(requests)) parked.enter(request)
  parked.apply(changes)
  return Object.entries(requests)
    .filter(([, request]) => request.asked() === 1)
    .map(([name]) => name)
}

const everything = ['phone', 'tablet', 'options', 'bobsPhone', 'bobsTablet']

void t.test('a change concerns the device under whoever has it, or the user with every device', async (t) => {
  t.strictSame(concerned(t, [device]), ['phone', 'bobsPhone'], 'the owner of an id counts for both (T-14)')
  const user: Change = { kind: 'user', revision: 2, user: 'alice@example.com', names: ['al@example.com'] }
  t.strictSame(concerned(t, [user]), ['phone', 'tablet', 'options'])
  const renamed: Change = { kind: 'user', revision: 2, user: 'x@example.com', names: ['bob@example.com'] }
  t.strictSame(concerned(t, [renamed]), ['bobsPhone', 'bobsTablet'], 'by the name it had')
  t.strictSame(concerned(t, [device, user, device]), ['phone', 'tablet', 'options', 'bobsPhone'])
  t.strictSame(concerned(t, []), [])
  t.strictSame(concerned(t, [{ ...device, deviceKey: 'nobody' }]), [])
})

void t.test('a policy, and sources that become complete, concern everything', async (t) => {
  t.strictSame(concerned(t, [{ kind: 'policy', revision: 2 }]), everything)
  t.strictSame(concerned(t, [{ kind: 'sources', revision: 2, complete: true, unreadGroups: [] }]), everything)
})

/** Enters many and applies a policy; a look takes a millisecond of the injected clock. */
async function slices(parked: Parked, elapse: (ms: number) => void, count: number): Promise<number[]> {
  const sizes: number[] = []
  let size = 0
  for (let number = 0; number < count; number++) {
    const request = open(() => {
      elapse(1)
      size++
      return 'stays'
    })
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
  const parked = register(t, { performanceNow: () => clock })
  const sizes = await slices(parked, (ms) => (clock += ms), 100)
  t.equal(
    sizes.reduce((sum, size) => sum + size, 0),
    100,
  )
  t.ok(Math.max(...sizes) <= 6, `no slice is longer than 5 ms and one look: ${sizes.join(' ')}`)
  t.ok(sizes.length >= 17)
})

void t.test('many that are looked at fast are one slice', async (t) => {
  const parked = register(t, { performanceNow: () => 0 })
  t.strictSame(await slices(parked, () => undefined, 1000), [1000])
})

void t.test('few are ended in one slice, for each leaves work behind it', async (t) => {
  const parked = register(t, { performanceNow: () => 0 })
  const requests = Array.from({ length: 40 }, () => open('revoked'))
  for (const request of requests) parked.enter(request)
  parked.apply([{ kind: 'policy', revision: 2 }])
  const sizes = [40 - parked.size()]
  while (parked.size() > 0) {
    await new Promise((resolve) => setImmediate(resolve))
    sizes.push(40 - parked.size())
  }
  t.strictSame([...new Set(sizes)], [16, 32, 40])
  for (const { ended } of requests) t.strictSame(ended, ['revoked'])
})

void t.test('what leaves between two slices is not asked', async (t) => {
  let clock = 0
  const parked = register(t, { performanceNow: () => clock })
  const requests = Array.from({ length: 3 }, () => open('revoked'))
  const slow = open(() => {
    clock += 100
    return 'stays'
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
  const parked = register(t, { metrics, performanceNow: () => clock })
  const slow = open(() => {
    clock += 700
    return 'stays'
  })
  parked.enter(slow)
  parked.enter(open('revoked'))
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
  const parked = register(t, { now: () => now })
  const grace = open('revoked', { validUntil: 5000 })
  const later = open('revoked', { validUntil: 60_000 })
  const forever = open('revoked')
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
  const parked = register(t, { now: () => now })
  const request = open('stays')
  const judge = (): Fate =>
    now < 5000 ? { kind: 'stays', validUntil: 5000 } : { kind: 'revoked', end: () => (ended = true) }
  let ended = false
  parked.enter({ ...request, judge })
  parked.apply([device])
  now = 4999
  mock.timers.tick(3000)
  t.equal(ended, false)
  now = 5000
  mock.timers.tick(1000)
  t.equal(ended, true)
})

void t.test('an answer that time has confirmed is not asked for again each second', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const parked = register(t, { now: () => 6000 })
  const extended = open('stays', { validUntil: 5000 })
  parked.enter(extended)
  mock.timers.tick(10_000)
  t.equal(extended.asked(), 1)
})

void t.test('a closed register looks no more', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const parked = register(t, { now: () => 10_000 })
  const due = open('revoked', { validUntil: 5000 })
  parked.enter(due)
  parked.close()
  mock.timers.tick(5000)
  t.equal(due.asked(), 0)
})

// --- what waits in quarantine

/** Has time pass, for timers and for the register. */
function clockOf(t: Test) {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  let clock = 0
  return {
    performanceNow: () => clock,
    pass: (ms: number) => {
      for (const end = clock + ms; clock < end;) {
        clock += 100
        mock.timers.tick(100)
      }
    },
  }
}

void t.test('what waits ends when its time is over, within a second', async (t) => {
  const { performanceNow, pass } = clockOf(t)
  const parked = register(t, { performanceNow })
  const ping = waiting('stays', { seconds: 60 })
  const forwarded = open('stays')
  for (const request of [ping, forwarded]) t.equal(parked.enter(request), true)
  pass(59_000)
  t.strictSame(ping.ended, [])
  pass(2000)
  t.strictSame(ping.ended, ['over'])
  t.strictSame(forwarded.ended, [], 'Exchange ends the others')
  t.equal(parked.size(), 1)
})

void t.test('what is new for it is told at once, and counts as no revocation', async (t) => {
  const metrics = createMetrics()
  const parked = register(t, { metrics })
  let changed = false
  const ping = waiting(() => (changed ? 'answered' : 'stays'))
  parked.enter(ping)
  t.strictSame(ping.ended, [])
  changed = true
  parked.apply([device])
  t.strictSame(ping.ended, ['answered'])
  t.strictSame(await revocations(metrics), [0, 0])
})

void t.test('what changed while its body was read is told as it enters', async (t) => {
  const { performanceNow, pass } = clockOf(t)
  const parked = register(t, { performanceNow })
  const [told, released] = [waiting('answered', { name: 'told' }), waiting('released', { name: 'released' })]
  for (const request of [told, released]) parked.enter(request)
  t.strictSame(told.ended, ['answered'])
  pass(100)
  t.strictSame(released.ended, ['released'])
})

async function releases(metrics: Metrics): Promise<number | undefined> {
  return (await metrics.releases.get()).values[0]?.value
}

void t.test('few are released at once, many by and by', async (t) => {
  const { performanceNow, pass } = clockOf(t)
  const metrics = createMetrics()
  const parked = register(t, { metrics, performanceNow, releasePerSecond: 10, random: Math.random })
  let compliant = false
  const pings = Array.from({ length: 30 }, (_, number) =>
    waiting(() => (compliant ? 'released' : 'stays'), { name: `ping ${number}` }),
  )
  for (const ping of pings) parked.enter(ping)
  compliant = true
  parked.apply([{ kind: 'policy', revision: 2 }])
  t.equal(await releases(metrics), 0)
  pass(200)
  t.ok(((await releases(metrics)) ?? 0) >= 1, 'the first has not to wait')
  parked.apply([{ kind: 'policy', revision: 3 }])
  pass(800)
  const first = await releases(metrics)
  t.ok(first === 9 || first === 10, `${first} in the first second, however often one looks`)
  pass(1000)
  t.ok(Math.abs(((await releases(metrics)) ?? 0) - 20) <= 1)
  pass(1100)
  t.equal(await releases(metrics), 30)
  t.equal(parked.size(), 0)
})

void t.test('what is refused again before its turn stays, and is told what is new', async (t) => {
  const { performanceNow, pass } = clockOf(t)
  const metrics = createMetrics()
  const parked = register(t, { metrics, performanceNow })
  let look: Fate['kind'] = 'stays'
  const ping = waiting(() => look)
  parked.enter(ping)
  look = 'released'
  parked.apply([device])
  look = 'stays'
  pass(1000)
  t.strictSame(ping.ended, [])
  look = 'released'
  parked.apply([device])
  pass(100)
  t.strictSame(ping.ended, ['released'], 'and has a turn again')
  t.equal(await releases(metrics), 1)
})

void t.test('what left or ended before its turn is not released', async (t) => {
  const { performanceNow, pass } = clockOf(t)
  const metrics = createMetrics()
  const parked = register(t, { metrics, performanceNow })
  let look: Fate['kind'] = 'released'
  const [left, told] = [waiting('released', { name: 'left' }), waiting(() => look, { name: 'told' })]
  for (const request of [left, told]) parked.enter(request)
  parked.leave(left)
  look = 'answered'
  parked.apply([device])
  pass(1000)
  t.strictSame([left.ended, told.ended], [[], ['answered']])
  t.equal(await releases(metrics), 0)
})

void t.test(
  'a later request takes the place of an earlier one, whose phone has given it up (T-45)',
  async (t) => {
    const parked = register(t, { maxWaiting: 1 })
    const [first, second] = [waiting('stays'), waiting('stays')]
    t.equal(parked.enter(first), true)
    t.equal(parked.enter(second), true)
    t.strictSame([first.ended, second.ended], [['over'], []])
    parked.leave(first)
    t.equal(parked.size(), 1)
    const other = waiting('stays', { name: 'another phone' })
    t.equal(parked.enter(other), false, 'so many wait already')
    t.equal(parked.enter(open('stays')), true, 'what is on its way to Exchange does not wait here')
    parked.leave(second)
    t.equal(parked.enter(other), true)
  },
)

void t.test('what waits ends with the register', async (t) => {
  const parked = register(t)
  const [ping, forwarded] = [waiting('stays'), open('stays')]
  for (const request of [ping, forwarded]) parked.enter(request)
  parked.close()
  parked.close()
  t.strictSame([ping.ended, forwarded.ended], [['over'], []])
})
