import { createHash } from 'node:crypto'

/** What tells two texts of a config or a policy apart, in logs, to operators and between nodes. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}
