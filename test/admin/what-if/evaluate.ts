import t from 'tap'
import { checkPolicy } from '#config/load.ts'
import { compilePolicy } from '#policy/compile.ts'
import {
  harshPolicy,
  hourMs,
  mildPolicy,
  policyNow,
  seenPhones,
  startPolicyNode,
} from '../../support/policy-node.ts'

const harsh = compilePolicy(checkPolicy(harshPolicy, 'draft', {}).value)
const mild = compilePolicy(checkPolicy(mildPolicy, 'draft', {}).value)
const { signal } = new AbortController()
const maxChanges = 100

void t.test('tells how many would turn, who they are, and what the safety catch would say', async (t) => {
  const old = seenPhones(1, { user: 'old@example.com', at: policyNow - 48 * hourMs })
  const { evaluator } = await startPolicyNode(t, { phones: 8, seen: old })
  const found = await evaluator.evaluate(harsh, { since: policyNow - 72 * hourMs, signal, maxChanges: 3 })
  t.match(found, {
    devices: 9,
    newlyRefused: 9,
    newlyAllowed: 0,
    byReason: [{ reason: 'posture-unknown', newlyRefused: 9 }],
    safetyCatch: { inUse: 8, newlyRefused: 8, maxNewRefusals: 5, tooHeavy: true },
    changes: [
      { pair: { user: 'old@example.com' }, to: 'refused' },
      { pair: { user: 'user0@example.com' } },
      { pair: { user: 'user1@example.com' } },
    ],
    more: 6,
  })
  t.match(await evaluator.evaluate(mild, { since: 0, signal, maxChanges }), {
    devices: 9,
    newlyRefused: 0,
    changes: [],
    more: 0,
  })
})

void t.test('leaves out who was not seen lately; the catch asks of the last day all the same', async (t) => {
  const seen = [
    ...seenPhones(6, { at: policyNow - 10 * hourMs }),
    ...seenPhones(1, { user: 'new@example.com', at: policyNow }),
  ]
  const { evaluator } = await startPolicyNode(t, { seen })
  t.match(await evaluator.evaluate(harsh, { since: policyNow - hourMs, signal, maxChanges }), {
    devices: 1,
    newlyRefused: 1,
    changes: [{ pair: { user: 'new@example.com' } }],
    more: 0,
    safetyCatch: { inUse: 7, newlyRefused: 7, tooHeavy: true },
  })
})

void t.test('the same question has the same answer', async (t) => {
  const { evaluator } = await startPolicyNode(t, { phones: 150 })
  const options = { since: 0, signal, maxChanges }
  const [one, other] = await Promise.all([
    evaluator.evaluate(harsh, options),
    evaluator.evaluate(harsh, options),
  ])
  t.strictSame(one, other)
  const users = (await Array.fromAsync(evaluator.turns(harsh, options))).map(({ pair }) => pair.user)
  t.equal(users.length, 150)
  t.strictSame(users, users.toSorted())
})

void t.test('one walk at a time; who leaves makes room for the next', async (t) => {
  const { evaluator } = await startPolicyNode(t, { phones: 100 })
  const leaving = new AbortController()
  const first = evaluator.turns(harsh, { since: 0, signal: leaving.signal })
  t.equal((await first.next()).value?.pair.user, 'user0@example.com')
  let isSecondDone = false
  const second = evaluator.evaluate(harsh, { since: 0, signal, maxChanges }).then((found) => {
    isSecondDone = true
    return found
  })
  await new Promise(setImmediate)
  t.equal(isSecondDone, false, 'it waits')
  leaving.abort()
  await t.rejects(Array.fromAsync(first), { name: 'AbortError' })
  t.equal((await second).newlyRefused, 100)

  const third = evaluator.turns(harsh, { since: 0, signal })
  await third.next()
  await third.return(undefined)
  t.equal((await evaluator.evaluate(harsh, { since: 0, signal, maxChanges })).newlyRefused, 100)
})
