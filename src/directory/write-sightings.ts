import type { DatabaseSync } from 'node:sqlite'
import { createAuditInsert } from './audit.ts'
import {
  clientChangeEvent,
  followClient,
  type ClientChange,
  type ClientClaim,
  type KnownClient,
} from './client-change.ts'
import type { Committer, Transaction } from './commit.ts'
import { prepare } from './database.ts'
import { pairId } from './pair-id.ts'
import { createPairRoom } from './pair-room.ts'
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
  /** Pairs that came as another client than before; each stands in the audit. */
  readonly clientChanges: readonly ClientChange[]
}

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
  readonly noncompliant_since: number | null
  readonly refused_since: number | null
  readonly known_client: string | null
  readonly pair_id: string | null
}

/**
 * The writing side of sightings. A pair that was seen or served mail for the first time, was asked to provision, told
 * something new of its device, turned refused or let in, or noncompliant or compliant by our own policies is a change:
 * the next request is judged by it.
 */
export function createSightingsWriter(
  database: DatabaseSync,
  committer: Committer,
): (sightings: readonly Sighting[]) => Promise<RecordedSightings> {
  const select = prepare<SightingRow>(database, 'SELECT * FROM sightings WHERE user = ? AND device_key = ?')
  const upsert = database.prepare(
    `INSERT INTO sightings (user, device_key, device_id, action, reason, platform, seen, information,
       first_at, last_at, allowed_at, provision_asked_at, noncompliant_since, refused_since, known_client, pair_id,
       revision)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (user, device_key) DO UPDATE SET device_id = excluded.device_id, action = excluded.action,
       reason = excluded.reason, platform = excluded.platform, seen = excluded.seen,
       information = coalesce(excluded.information, information), last_at = excluded.last_at,
       allowed_at = coalesce(excluded.allowed_at, allowed_at),
       provision_asked_at = coalesce(excluded.provision_asked_at, provision_asked_at),
       noncompliant_since = excluded.noncompliant_since, refused_since = excluded.refused_since,
       known_client = excluded.known_client, pair_id = excluded.pair_id, revision = max(excluded.revision, revision)`,
  )

  const makeRoom = createPairRoom(database)
  const insertEvent = createAuditInsert(database)

  function write(sighting: Sighting, transaction: Transaction, clientChanges: ClientChange[]): boolean {
    const { user, deviceId, deviceKey, at } = sighting
    const row = select.get(user, deviceKey)
    if (row === undefined && !makeRoom(user)) return false
    const seen = seenOf(sighting)
    const seenText = JSON.stringify(seen)
    const information = informationOf(sighting)
    const noncompliantSince = sinceWhen(row?.noncompliant_since, sighting.selfNoncompliant, at)
    const refusedSince = sinceWhen(row?.refused_since, sighting.refused, at)
    const { known, before } = followClient(knownClientOf(row), claimOf(seen), at)
    const isHistory =
      row === undefined ||
      (sighting.allowed && row.allowed_at === null) ||
      (information !== null && information !== row.information) ||
      sighting.provisionAsked === true ||
      noncompliantSince !== row.noncompliant_since ||
      refusedSince !== row.refused_since
    if (!isHistory && before === undefined && isQuiet(row, sighting, seenText)) return true
    const revision = isHistory ? transaction.nextRevision() : 0
    upsert.run(
      user,
      deviceKey,
      deviceId,
      sighting.action,
      sighting.reason,
      sighting.platform,
      seenText,
      information,
      at,
      at,
      sighting.allowed ? at : null,
      sighting.provisionAsked === true ? at : null,
      noncompliantSince,
      refusedSince,
      JSON.stringify(known),
      pairId(user, deviceKey),
      revision,
    )
    if (isHistory) transaction.changed({ kind: 'device', revision, user, deviceKey })
    if (before !== undefined) {
      const change = { user, deviceId, before, after: claimOf(known) }
      insertEvent(clientChangeEvent(change, at))
      clientChanges.push(change)
    }
    return true
  }

  return async (sightings) => {
    let written = 0
    const clientChanges: ClientChange[] = []
    await committer.commitInSlices(sightings, (sighting, transaction) => {
      if (write(sighting, transaction, clientChanges)) written++
    })
    return { written, dropped: sightings.length - written, clientChanges }
  }
}

function claimOf({ deviceType, client }: ClientClaim): ClientClaim {
  return { deviceType, client }
}

/** Since when something is so, null where it is not; a sighting that does not tell leaves it as it was. */
function sinceWhen(before: number | null = null, isSo: boolean | undefined, at: number): number | null {
  if (isSo === undefined) return before
  return isSo ? (before ?? at) : null
}

/** A row of an older version holds only what was seen last. */
function knownClientOf(row: SightingRow | undefined): KnownClient | undefined {
  if (row === undefined) return undefined
  if (row.known_client !== null) return JSON.parse(row.known_client) as KnownClient
  return claimOf(JSON.parse(row.seen) as Seen)
}

function isQuiet(row: SightingRow, sighting: Sighting, seen: string): boolean {
  return (
    sighting.at - row.last_at < quietMs &&
    row.pair_id !== null &&
    row.device_id === sighting.deviceId &&
    row.action === sighting.action &&
    row.reason === sighting.reason &&
    row.platform === sighting.platform &&
    row.seen === seen
  )
}

/** What is kept of the texts that a client chose. */
export function seenOf(sighting: Seen): Seen {
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

/** The same of what it said of its device; null where it said nothing. */
export function informationOf({ information }: Pick<Sighting, 'information'>): string | null {
  if (information === undefined) return null
  return JSON.stringify(information, (_field, value: unknown) =>
    typeof value === 'string' ? value.slice(0, maxTextLength) : value,
  )
}

function cut(text: string | undefined): string | undefined {
  return text?.slice(0, maxTextLength)
}
