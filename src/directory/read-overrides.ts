import type { DatabaseSync } from 'node:sqlite'
import type { ExclusiveAllow, Override } from '#policy/facts.ts'
import { prepare } from './database.ts'

/** What administrators said of a pair, and what of the user's other devices bears on it. */
export interface PairOverrides {
  readonly override?: Override
  readonly exclusiveAllows: readonly ExclusiveAllow[]
  /** Highest store revision among them. */
  readonly revision: number
}

/** A row of `overrides`. */
export interface OverrideRow {
  readonly id: number
  /** The UPN; where no directory entry had the name when it was written, the first name of the login. */
  readonly user: string
  readonly device_key: string
  readonly device_id: string
  readonly action: 'allow' | 'block'
  readonly until: number | null
  readonly exclusive: number
  readonly note: string
  readonly actor: string
  readonly at: number
  readonly revision: number
}

const none: PairOverrides = { exclusiveAllows: [], revision: 0 }

/** Reads the overrides of one user: those on one device, and the exclusive allows on the user's other devices. */
export interface OverrideReader {
  /** Under the user's own name first, then blocks of the device under an alias. */
  readonly rows: (
    user: string,
    aliases: readonly string[],
    deviceKey: string | undefined,
  ) => readonly OverrideRow[]
  /** The same as the decision reads it. */
  readonly overrides: (
    user: string,
    aliases: readonly string[],
    deviceKey: string | undefined,
  ) => PairOverrides
}

/**
 * An override stands under a name of its time: where nobody had the name then, the directory may have learnt since
 * whose alias it is. A block must not end by that. An allow does: a name may lead to two users, and then it is not clear
 * who was meant. T-17
 */
export function createOverrideReader(database: DatabaseSync): OverrideReader {
  const select = prepare<OverrideRow>(
    database,
    'SELECT * FROM overrides WHERE user = ? AND (device_key = ? OR exclusive = 1) ORDER BY device_key',
  )
  const selectBlock = prepare<OverrideRow>(
    database,
    "SELECT * FROM overrides WHERE user = ? AND device_key = ? AND action = 'block'",
  )

  function rows(
    user: string,
    aliases: readonly string[],
    deviceKey: string | undefined,
  ): readonly OverrideRow[] {
    const own = select.all(user, deviceKey ?? null)
    return [...own, ...aliases.flatMap((alias) => selectBlock.all(alias, deviceKey ?? null))]
  }

  return {
    rows,
    overrides(user, aliases, deviceKey) {
      const found = rows(user, aliases, deviceKey)
      if (found.length === 0) return none
      const row = deviceKey === undefined ? undefined : rowInForce(found, deviceKey)
      return {
        ...(row === undefined ? undefined : { override: overrideOf(row) }),
        exclusiveAllows: found.filter((other) => other.device_key !== deviceKey).map(exclusiveAllow),
        revision: Math.max(...found.map(({ revision }) => revision)),
      }
    },
  }
}

/** The row that counts for a device: a block where there is one, since an alias may have brought it. */
export function rowInForce(rows: readonly OverrideRow[], deviceKey: string): OverrideRow | undefined {
  const ofPair = rows.filter((row) => row.device_key === deviceKey)
  return ofPair.find(({ action }) => action === 'block') ?? ofPair[0]
}

/** What a row says. */
export function overrideOf({ action, until, exclusive, note }: OverrideRow): Override {
  return { action, ...(until === null ? undefined : { until }), exclusive: exclusive === 1, note }
}

function exclusiveAllow({ device_key: deviceKey, until }: OverrideRow): ExclusiveAllow {
  return { deviceKey, ...(until === null ? undefined : { until }) }
}
