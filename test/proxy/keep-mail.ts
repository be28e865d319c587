import t from 'tap'
import type { Decision } from '#policy/decide.ts'
import { keepMail } from '#proxy/keep-mail.ts'
import { usualFacts } from '../support/policy-rows.ts'

const quarantine: Decision = {
  action: 'quarantine',
  reason: 'noncompliant',
  rule: 'compliance',
  mode: 'enforce',
  validUntil: Infinity,
}
const heldSince = 1000

function factsOf(allowedBefore: boolean, refusedSince?: number) {
  return {
    ...usualFacts,
    history: { allowedBefore, ...(refusedSince === undefined ? undefined : { refusedSince }) },
  }
}

const blocked = { ...quarantine, action: 'block', rule: 'mass-refusal' }

void t.test('who has mail keeps it while quarantine is held, and is refused all the same', async (t) => {
  t.strictSame(keepMail(quarantine, factsOf(true), heldSince), blocked)
  t.strictSame(keepMail(quarantine, factsOf(true, heldSince), heldSince), blocked, 'it turned since then')
  t.strictSame(keepMail({ ...quarantine, action: 'redirect' }, factsOf(true), heldSince), blocked)
})

void t.test('all else is as the policy says', async (t) => {
  for (const [name, decision, facts, held] of [
    ['nothing is held', quarantine, factsOf(true), undefined],
    ['it never had mail', quarantine, factsOf(false), heldSince],
    ['it was refused before', quarantine, factsOf(true, heldSince - 1), heldSince],
    ['it is only reported', { ...quarantine, mode: 'report-only' }, factsOf(true), heldSince],
    ['it is let in', { ...quarantine, action: 'allow' }, factsOf(true), heldSince],
    ['it is asked to come back', { ...quarantine, action: 'unavailable' }, factsOf(true), heldSince],
    ['it is blocked', { ...quarantine, action: 'block' }, factsOf(true), heldSince],
  ] as const) {
    t.equal(keepMail<Decision>(decision, facts, held), decision, name)
  }
})
