import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import type { Change } from '#directory/changes.ts'
import { createPublisher } from '../src/publisher.ts'

const change = (revision: number): Change => ({ kind: 'policy', revision })

/** A publisher whose batches end when the test says so. */
function startPublisher() {
  const batches: { readonly revisions: readonly number[]; readonly end: () => void }[] = []
  const publisher = createPublisher((changes) => {
    const { promise, resolve } = Promise.withResolvers<void>()
    batches.push({ revisions: changes.map(({ revision }) => revision), end: resolve })
    return promise
  })
  return { publisher, batches, revisions: () => batches.map((batch) => batch.revisions) }
}

/** Resolves with whether a promise is settled once everything that can go on has gone on. */
async function isSettled(promise: Promise<void>): Promise<boolean> {
  let settled = false
  void promise.then(() => (settled = true))
  await nextTurn()
  return settled
}

void t.test('changes go out in order, and those that come meanwhile make the next batch', async (t) => {
  const { publisher, batches, revisions } = startPublisher()
  publisher.add([change(1), change(2)])
  publisher.add([change(3)])
  await nextTurn()
  t.strictSame(revisions(), [[1, 2, 3]])
  publisher.add([change(4)])
  publisher.add([change(5)])
  await nextTurn()
  t.strictSame(revisions(), [[1, 2, 3]], 'one at a time')
  batches[0]?.end()
  await nextTurn()
  t.strictSame(revisions(), [
    [1, 2, 3],
    [4, 5],
  ])
})

void t.test('settled waits for what was added before it, and for no more', async (t) => {
  const { publisher, batches } = startPublisher()
  t.ok(await isSettled(publisher.settled()), 'nothing to wait for')
  publisher.add([change(1)])
  const first = publisher.settled()
  t.notOk(await isSettled(first))
  publisher.add([change(2)])
  const second = publisher.settled()
  batches[0]?.end()
  t.ok(await isSettled(first), 'a stream of changes keeps nobody waiting for ever')
  t.notOk(await isSettled(second))
  batches[1]?.end()
  t.ok(await isSettled(second))
})

void t.test('many changes go out in several batches, one after the other (T-52)', async (t) => {
  const { publisher, batches, revisions } = startPublisher()
  const changes = Array.from({ length: 1200 }, (_, index) => change(index))
  publisher.add(changes)
  const settled = publisher.settled()
  for (const length of [500, 500, 200]) {
    await nextTurn()
    t.equal(revisions().at(-1)?.length, length)
    t.notOk(await isSettled(settled))
    batches.at(-1)?.end()
  }
  t.ok(await isSettled(settled))
  t.strictSame(
    revisions().flat(),
    changes.map(({ revision }) => revision),
  )
})
