import type { Compared, Turn } from '#admin/what-if/compare.ts'
import type { Standing } from '#admin/what-if/judge-seen.ts'
import type { SeenPair } from '#directory/seen-pairs.ts'

export const allowed: Standing = {
  action: 'allow',
  reason: 'compliant',
  rule: 'compliance',
  mode: 'enforce',
  refused: false,
}
export const refused: Standing = {
  action: 'block',
  reason: 'noncompliant',
  rule: 'compliance: passcode',
  mode: 'enforce',
  refused: true,
}

/** A phone that was let in at the instant 1000. */
export function seenPair(fields: Partial<SeenPair> = {}): SeenPair {
  return {
    user: 'alice@example.com',
    deviceId: 'ApplA',
    deviceKey: 'appla',
    deviceType: 'iPhone',
    userAgent: 'Apple-iPhone15C2/2105.219',
    osVersion: '17.5.1',
    model: 'iPhone15C2',
    client: 'Apple Mail',
    protocolVersion: '16.1',
    command: 'Sync',
    backend: 'simulator',
    action: 'allow',
    reason: 'compliant',
    lastAt: 1000,
    ...fields,
  }
}

/** A phone that would turn, by default into a refused one. */
export function turn(fields: Partial<Turn> = {}): Turn {
  const standings =
    fields.to === 'allowed' ? { before: refused, after: allowed } : { before: allowed, after: refused }
  return { pair: seenPair(), to: 'refused', platform: 'iOS', groups: [], ...standings, ...fields }
}

/** What a walk finds where these turn and as many others stay. */
export function compared(turns: readonly Turn[], others: readonly SeenPair[] = []): Compared {
  return { pairs: [...turns.map(({ pair }) => pair), ...others], turns }
}
