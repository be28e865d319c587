import t, { type Test } from 'tap'
import type { FactsRecord } from '#directory/record.ts'
import { openStore } from '#directory/store.ts'
import { pushMemoryMs, type Push } from '#directory/write-pushes.ts'
import { phone, testStore } from '../support/directory-store.ts'

const alice = 'alice@example.com'

/** Seconds from the start of the test's clock, as ms since the epoch. */
const at = (seconds: number) => 10_000_000 + seconds * 1000

/** A store with a push source, and pushes signed at seconds of its clock. */
function pushTest(t: Test) {
  const test = testStore(t, ['push'])
  test.clock.now = at(0)
  let signatures = 0
  const push = (seconds: number, fields: Partial<Push> = {}): Push => ({
    signature: `signature${++signatures}`,
    signedAt: at(seconds),
    records: [],
    removed: [],
    ...fields,
  })
  return {
    ...test,
    push,
    send: (seconds: number, ...records: readonly FactsRecord[]) =>
      test.store.takePush('push', push(seconds, { records })),
    remove: (seconds: number, user: string, deviceId: string) =>
      test.store.takePush('push', push(seconds, { removed: [{ user, deviceId }] })),
    device: () => test.store.deviceFacts(alice, 'appla')?.value,
  }
}

void t.test('a push is on record, confirmed when it was signed', async (t) => {
  const { send, device } = pushTest(t)
  const { changes, outdated } = await send(-60, phone(alice, 'ApplA'))
  t.equal(changes.length, 2)
  t.equal(outdated, 0)
  t.match(device(), { complianceState: 'compliant', origin: { sources: ['push'], asOf: at(-60) } })
})

void t.test('a sender whose clock is ahead makes no facts of the future (T-55)', async (t) => {
  const { send, device } = pushTest(t)
  await send(120, phone(alice, 'ApplA'))
  t.equal(device()?.origin.asOf, at(0))
})

void t.test(
  'a field that is not given keeps its value; the same again confirms, and is no change',
  async (t) => {
    const { send, device, clock, changes } = pushTest(t)
    await send(0, phone(alice, 'ApplA', { model: 'iPhone 15' }))
    await send(1, { user: alice, deviceId: 'ApplA', complianceState: 'noncompliant' })
    t.match(device(), { complianceState: 'noncompliant', model: 'iPhone 15' })
    changes.length = 0
    clock.now = at(90)
    await send(80, { user: alice, deviceId: 'ApplA', complianceState: 'noncompliant' })
    t.same(changes, [])
    t.equal(device()?.origin.asOf, at(80))
  },
)

void t.test('of what arrives out of order, what was signed last stands', async (t) => {
  const { send, remove, device, store } = pushTest(t)
  await send(0, phone(alice, 'ApplA', { complianceState: 'noncompliant' }))
  t.match(await send(-1, phone(alice, 'ApplA')), { outdated: 1, changes: [] })
  t.equal(device()?.complianceState, 'noncompliant')
  t.match(await remove(-1, alice, 'ApplA'), { outdated: 1, changes: [] })
  t.ok(device())
  t.match(await remove(1, alice, 'ApplA'), { outdated: 0 })
  t.equal(device(), undefined)
  t.match(
    await send(0, phone(alice, 'APPLA')),
    { outdated: 1 },
    'what is gone does not come back, however spelled',
  )
  t.equal(device(), undefined)
  await send(1, phone(alice, 'ApplA'))
  t.equal(device()?.complianceState, 'compliant', 'of two of one instant the one that comes last')
  t.equal(store.resolve(alice), alice)
})

void t.test('names and groups are ordered by their user, devices by themselves', async (t) => {
  const { send, store, device } = pushTest(t)
  const groups = () => store.userFacts(alice).value.groups
  await send(0, { user: alice, groups: ['staff'] })
  t.match(await send(-1, phone(alice, 'ApplA', { groups: ['staff', 'exempt'] })), { outdated: 0 })
  t.same(groups(), ['staff'])
  t.ok(device(), 'of the device nothing newer was known')
  await send(-2, phone(alice, 'ApplB'))
  t.ok(store.deviceFacts(alice, 'applb'))
  t.match(await send(-1, { user: alice, aliases: ['al'] }), { outdated: 1 })
  t.equal(store.resolve('al'), undefined)
})

void t.test('a removal may name the user by any name', async (t) => {
  const { send, remove, device } = pushTest(t)
  await send(0, phone(alice, 'ApplA', { aliases: ['EXAMPLE\\alice'.toLowerCase()] }))
  await remove(1, 'Example\\Alice', 'appla')
  t.equal(device(), undefined)
})

void t.test('a signature is taken once, also after a restart', async (t) => {
  const test = pushTest(t)
  const push = test.push(0, { records: [phone(alice, 'ApplA')] })
  t.equal(test.store.isPushTaken('push', push), false)
  await test.store.takePush('push', push)
  t.equal(test.store.isPushTaken('push', push), true)
  t.equal(test.store.isPushTaken('push', test.push(0)), false)
  t.equal(test.store.isPushTaken('push-2', push), false, 'of another source it is another one')
  test.store.close()
  const again = openStore(test.path, { sourceOrder: ['push'], now: () => test.clock.now })
  t.teardown(() => again.close())
  t.equal(again.isPushTaken('push', push), true)
  t.match(
    await again.takePush('push', test.push(-1, { records: [phone(alice, 'ApplA')] })),
    { outdated: 1 },
    'and what was signed before it is still older',
  )
})

void t.test('what is forgotten stays refused, also where the clock goes back (T-55)', async (t) => {
  const test = pushTest(t)
  const old = test.push(0, { records: [phone(alice, 'ApplA')] })
  await test.store.takePush('push', old)
  test.clock.now += pushMemoryMs + 1
  await test.store.takePush('push', test.push(0 + (pushMemoryMs + 1) / 1000))
  const marks = test.store.check().rows['push_marks']
  t.equal(marks, 2, 'the floor, and the last one')
  test.clock.now = at(0)
  t.equal(test.store.isPushTaken('push', old), true)
  t.equal(test.store.isPushTaken('push', test.push(-1)), true)
  t.equal(test.store.isPushTaken('push', test.push(1)), false)
})

void t.test('a push that breaks off may be sent again as it is', async (t) => {
  const test = pushTest(t)
  const push = test.push(0, { records: [phone(alice, 'ApplA')] })
  const stop = test.store.onChange(() => {
    stop()
    test.store.close()
  })
  await t.rejects(test.store.takePush('push', push), { code: 'STORE_CLOSED' })
  const again = openStore(test.path, { sourceOrder: ['push'], now: () => test.clock.now })
  t.teardown(() => again.close())
  t.equal(again.isPushTaken('push', push), false)
  await again.takePush('push', push)
  t.ok(again.deviceFacts(alice, 'appla'))
})
