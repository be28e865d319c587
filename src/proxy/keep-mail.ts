import type { Decision } from '#policy/decide.ts'
import type { Facts } from '#policy/facts.ts'
import { hasMailbox } from './mailbox.ts'

/** What decides in the place of a criterion. */
const massRefusal = 'mass-refusal'

/**
 * Quarantine makes a phone drop its copy of the mail. Where so many turn refused at once that the fault may be ours, a
 * phone that has mail is blocked in place of it: it keeps what it has. Who was refused before that has dropped it already.
 *
 * @param heldSince since when quarantine is held, ms since the epoch; undefined: it is not
 */
export function keepMail<Decided extends Pick<Decision, 'action' | 'rule' | 'mode'>>(
  decision: Decided,
  { history }: Facts,
  heldSince: number | undefined,
): Decided {
  if (heldSince === undefined || !hasMailbox(decision) || decision.mode === 'report-only') return decision
  const { allowedBefore, refusedSince } = history
  if (!allowedBefore || (refusedSince !== undefined && refusedSince < heldSince)) return decision
  return { ...decision, action: 'block', rule: massRefusal }
}
