import t from 'tap'
import { parseRecord, unknownField } from '#directory/record.ts'
import { policySchema } from '#policy/schema.ts'
import rows from '../fixtures/policy/exchange-states.json' with { type: 'json' }

/** What Exchange did with a device before says nothing of the device: nothing here is sticky. */
for (const { field, proves, words } of rows) {
  void t.test(`${field} is no fact, whatever it says (${proves})`, async (t) => {
    for (const word of words) {
      const parsed = parseRecord({ user: 'alice@example.com', deviceId: 'ApplDEMOALICE1', [field]: word })
      t.strictSame(parsed, { faults: [{ field, message: unknownField }] }, word)
    }
  })
}

void t.test(
  'a default of none is no access level (facts.md 3, deviceManagementExchangeAccessLevel none)',
  async (t) => {
    const conditionalAccess = { onPremises: { defaultAccess: 'none' } }
    t.notOk(policySchema.safeParse({ conditionalAccess }).success)
  },
)
