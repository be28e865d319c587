import type { DatabaseSync } from 'node:sqlite'
import type { Committer, Transaction } from './commit.ts'
import { prepare } from './database.ts'
import type { Sighting } from './sightings.ts'

/** What a sighting says besides the columns that are searched. */
export type Seen = Pick<
  Sighting,
  'deviceType' | 'userAgent' | 'osVersion' | 'model' | 'client' | 'protocolVersion' | 'command' | 'backend'
>

/** What became of a batch. */
export interface RecordedSightings {
  readonly written: number
  /** New pairs of users who already have as many as are kept. */
  readonly dropped: number
}

/** Pairs kept per user. A client with a password can invent ids without end; Exchange itself stops at 100. T-51 */
const maxPairsPerUser = 100

/** A pair that shows nothing new is written at most this often. */
const quietMs = 60_000

/** Clients choose these texts. */
const maxTextLength = 256

interface SightingRow {
  readonly id: number
  readonly device_id: string
  readonly action: string
  readonly reason: string
  readonly platform: string
  readonly seen: string
  readonly information: string | null
  readonly last_at: number
  readonly allowed_at: number | null
  readonly provision_asked_at: number | null
}

/**
 * The writing side of sightings. A pair that was served mail for the first time, was asked to provision, or told
 * something new of its device is a change: the next request is judged by it.
 */
export function createSightingsWriter(
  database: DatabaseSync,
  committer: Committer,
): (sightings: readonly Sighting[]) => Promise<RecordedSightings> {
  const select = prepare<SightingRow>(database, 'SELECT * FROM sightings WHERE user = ? AND device_key = ?')
  const countPairs = prepare<{ pairs: number }>(
    database,
    'SELECT count(*) AS pairs FROM sightings WHERE user = ?',
  )
  const deleteOldest = database.prepare(
    `DELETE FROM sightings WHERE id =
       (SELECT id FROM sightings WHERE user = ? AND allowed_at IS NULL ORDER BY last_at LIMIT 1)`,
  )
  const upsert = database.prepare(
    `INSERT INTO sightings (user, device_key, device_id, action, reason, platform, seen, information,
       first_at, last_at, allowed_at, provision_asked_at, revision)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (user, device_key) DO UPDATE SET device_id = excluded.device_id, action = excluded.action,
       reason = excluded.reason, platform = excluded.platform, seen = excluded.seen,
       information = coalesce(excluded.information, information), last_at = excluded.last_at,
       allowed_at = coalesce(excluded.allowed_at, allowed_at),
       provision_asked_at = coalesce(excluded.provision_asked_at, provision_asked_at),
       revision = max(excluded.revision, revision)`,
  )

  function write(sighting: Sighting, transaction: Transaction): boolean {
    const { user, deviceKey, at } = sighting
    const row = select.get(user, deviceKey)
    const seen = JSON.stringify(seenOf(sighting))
    const information = informationOf(sighting)
    if (
      row === undefined &&
      countPairs.get(user)?.pairs === maxPairsPerUser &&
      deleteOldest.run(user).changes === 0
    ) {
      return false
    }
    const firstAllowed = sighting.allowed && (row?.allowed_at ?? null) === null
    const isNews = information !== null && information !== (row?.information ?? null)
    const isHistory = firstAllowed || isNews || sighting.provisionAsked === true
    if (row !== undefined && !isHistory && isQuiet(row, sighting, seen)) return true
    const revision = isHistory ? transaction.nextRevision() : 0
    upsert.run(
      user,
      deviceKey,
      sighting.deviceId,
      sighting.action,
      sighting.reason,
      sighting.platform,
      seen,
      information,
      at,
      at,
      sighting.allowed ? at : null,
      sighting.provisionAsked === true ? at : null,
      revision,
    )
    if (isHistory) transaction.changed({ kind: 'device', revision, user, deviceKey })
    return true
  }

  return async (sightings) => {
    let written = 0
    await committer.commitInSlices(sightings, (sighting, transaction) => {
      if (write(sighting, transaction)) written++
    })
    return { written, dropped: sightings.length - written }
  }
}

function isQuiet(row: SightingRow, sighting: Sighting, seen: string): boolean {
  return (
    sighting.at - row.last_at < quietMs &&
    row.device_id === sighting.deviceId &&
    row.action === sighting.action &&
    row.reason === sighting.reason &&
    row.platform === sighting.platform &&
    row.seen === seen
  )
}

function seenOf(sighting: Sighting): Seen {
  return {
    deviceType: cut(sighting.deviceType),
    userAgent: cut(sighting.userAgent),
    osVersion: sighting.osVersion.slice(0, maxTextLength),
    model: sighting.model.slice(0, maxTextLength),
    client: sighting.client.slice(0, maxTextLength),
    protocolVersion: sighting.protocolVersion,
    command: sighting.command,
    backend: sighting.backend,
  }
}

function informationOf({ information }: Sighting): string | null {
  if (information === undefined) return null
  return JSON.stringify(information, (_field, value: unknown) =>
    typeof value === 'string' ? value.slice(0, maxTextLength) : value,
  )
}

function cut(text: string | undefined): string | undefined {
  return text?.slice(0, maxTextLength)
}
