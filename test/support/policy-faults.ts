import { readFileSync } from 'node:fs'
import t from 'tap'
import { z } from 'zod'
import { expectation } from '#config/expectation.ts'
import { policySchema } from '#policy/schema.ts'

const rows = z.array(
  z.strictObject({
    /** A part of a policy file. */
    policy: z.unknown(),
    /** As `PATH: MESSAGE`, all of them. */
    faults: z.array(z.string()),
  }),
)

/** Reads every row of `test/fixtures/policy/schema/NAME.json` as a policy, and compares what is found wrong. */
export function testFaults(name: string): void {
  const file = new URL(`../fixtures/policy/schema/${name}.json`, import.meta.url)
  for (const { policy, faults } of rows.parse(JSON.parse(readFileSync(file, 'utf8')))) {
    void t.test(`${JSON.stringify(policy).slice(0, 100)}: ${faults.join('; ') || 'good'}`, async (t) => {
      const { error } = policySchema.safeParse(policy, { error: expectation })
      const found = error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
      t.strictSame(found ?? [], faults)
    })
  }
}
