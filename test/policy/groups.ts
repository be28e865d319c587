import t from 'tap'
import { compilePolicy } from '#policy/compile.ts'
import type { Facts } from '#policy/facts.ts'
import { groupAmong, isMember } from '#policy/groups.ts'
import { policySchema } from '#policy/schema.ts'
import rows from '../fixtures/policy/groups.json' with { type: 'json' }
import { situationFor, usualFacts, usualRequest } from '../support/policy-rows.ts'

function ask(targetedGroups: readonly string[], changed: Partial<Facts>) {
  const policy = policySchema.parse({
    conditionalAccess: { onPremises: { targetedGroups, exemptedGroups: ['another', 'list'] } },
  })
  const facts = { ...usualFacts, ...changed }
  const situation = situationFor(usualRequest, facts, policy, 0)
  return { situation, groups: compilePolicy(policy).onPremises.targetedGroups }
}

for (const { name, asked, groups, unread, complete, member } of rows) {
  void t.test(name, async (t) => {
    const changed = {
      ...(groups !== null && { user: { user: 'alice@example.com', groups } }),
      unreadGroups: unread ?? [],
      sourcesComplete: complete ?? true,
    }
    const { situation, groups: compiled } = ask(asked, changed)
    const facts = groups === null ? withoutUser({ ...usualFacts, ...changed }) : situation.facts
    t.equal(isMember({ ...situation, facts }, compiled), member ?? undefined)
  })
}

void t.test('names a group that was read and has the user', async (t) => {
  const { situation, groups } = ask(['sales', 'staff', 'travel'], {
    user: { user: 'alice@example.com', groups: ['board', 'travel', 'staff'] },
    unreadGroups: ['travel'],
  })
  t.equal(groupAmong(situation, groups), 'staff')
})

void t.test('asks the user once, whatever number of lists is asked', async (t) => {
  const { situation, groups } = ask(['sales'], {})
  isMember(situation, groups)
  const { membership } = situation
  t.ok(membership)
  isMember(situation, situation.rules.exemptedGroups)
  t.equal(situation.membership, membership)
})

function withoutUser({ user: _user, ...facts }: Facts): Facts {
  return facts
}
