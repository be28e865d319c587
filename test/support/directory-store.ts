import { join } from 'node:path'
import type { Test } from 'tap'
import type { Change } from '#directory/changes.ts'
import type { FactsRecord } from '#directory/record.ts'
import type { Sighting } from '#directory/sightings.ts'
import { openStore, type Store } from '#directory/store.ts'

/** A store in the test's folder, with a clock that the test sets. */
export interface TestStore {
  readonly store: Store
  readonly path: string
  readonly clock: { now: number }
  /** Everything that `onChange` told, in order. */
  readonly changes: Change[]
}

/** Opens a new store; it is closed when the test ends. */
export function testStore(t: Test, sourceOrder: readonly string[] = ['file', 'intune']): TestStore {
  const path = join(t.testdir(), 'easgate.db')
  const clock = { now: 1_000_000 }
  const store = openStore(path, { sourceOrder, now: () => clock.now })
  t.teardown(() => store.close())
  const changes: Change[] = []
  store.onChange((batch) => changes.push(...batch))
  return { store, path, clock, changes }
}

/** A compliant phone. */
export function phone(user: string, deviceId: string, fields: Partial<FactsRecord> = {}): FactsRecord {
  return { user, deviceId, enrolled: true, complianceState: 'compliant', ...fields }
}

/** Many phones, each of another user. */
export function phones(count: number): FactsRecord[] {
  return Array.from({ length: count }, (_, number) =>
    phone(`user${number}@example.com`, `Appl${number}`, { groups: ['staff'], platform: 'iOS' }),
  )
}

/** That alice's phone synced. */
export function sighting(fields: Partial<Sighting> = {}): Sighting {
  return {
    user: 'alice@example.com',
    deviceId: 'ApplA',
    deviceKey: 'appla',
    deviceType: 'iPhone',
    userAgent: 'Apple-iPhone15C2/2105.219',
    platform: 'iOS',
    osVersion: '17.5.1',
    model: 'iPhone15C2',
    client: 'Apple Mail',
    protocolVersion: '16.1',
    command: 'Sync',
    backend: 'simulator',
    action: 'block',
    reason: 'not-enrolled',
    at: 1_000_000,
    allowed: false,
    ...fields,
  }
}
