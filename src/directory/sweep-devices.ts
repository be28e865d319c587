import type { DatabaseSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { DeviceFacts } from '#policy/facts.ts'
import type { Change } from './changes.ts'
import type { Committer, Transaction } from './commit.ts'
import { prepare } from './database.ts'
import { isBetterRecord } from './match.ts'
import type { Sieve } from './reading-guard.ts'
import { createRowSet } from './row-set.ts'
import type { SyncAttempt } from './sync-state.ts'
import type { DeviceRow, GivenDevice, RowWriter } from './write-rows.ts'

/** A device of a source whose records have ids of their own: an id of the device may stand in several of them. */
export interface SourceDevice extends GivenDevice {
  readonly otherIds: readonly string[]
  readonly recordId: string
}

/** A row of the source that no page of a sweep listed. */
export type UnlistedDevice = Omit<DeviceRow, 'facts' | 'missing_since'>

/** What no page listed. */
export interface UnlistedDevices {
  /** Rows that the source has on record, listed or not. */
  readonly known: number
  readonly count: number
  /** The first of them. */
  readonly rows: readonly UnlistedDevice[]
}

/** How a sweep ended. */
export type SweepEnd = Pick<SyncAttempt, 'outcome' | 'faults' | 'error'>

/**
 * One reading of a whole source, page by page, in bounded memory. What a page lists is written at once. What no page
 * lists is not gone for that: the caller looks at it with `unlisted` and says of each row what becomes of it.
 */
export interface DeviceSweep {
  /** Rows listed so far. */
  readonly listed: number
  /** Writes a page. `since`: `currentRevision()` when the page was asked for; rows written after it are newer. */
  add(page: readonly SourceDevice[], since: number): Promise<void>
  /** Rows that no page listed, and that nobody wrote since the sweep began; the first `limit` of them as they are. */
  unlisted(limit: number): Promise<UnlistedDevices>
  /** Removes unlisted rows whose record a page listed under another user or another id. Gives how many. */
  removeMoved(): Promise<number>
  /** Removes a row that is gone, but for another record of the same device that takes its place. */
  remove(row: UnlistedDevice): void
  /** Ends the sweep: what was listed is confirmed, what is left of the unlisted rows keeps the age that it has. */
  finish(end: SweepEnd): Promise<void>
}

export interface SweepOptions {
  /** What a row keeps of the facts that it held; none by default. */
  readonly keepHeld?: KeepHeld
}

/** The facts to write where a row holds others. */
export type KeepHeld = (given: DeviceFacts, held: DeviceFacts) => DeviceFacts

export interface DeviceSweeps {
  sweepDevices(source: string, options?: SweepOptions): DeviceSweep
  /** Writes single records, newer than any page. */
  putDevices(
    source: string,
    devices: readonly SourceDevice[],
    options?: SweepOptions,
  ): Promise<readonly Change[]>
  /** Removes a row of a record that is gone. */
  removeRecord(source: string, user: string, deviceId: string, recordId: string): readonly Change[]
}

export interface DeviceSweepsDeps {
  readonly rows: RowWriter
  readonly sieve: Sieve
  readonly recordSync: (source: string, attempt: SyncAttempt) => void
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Records held back in one sweep, until it is known which record of a device counts; more wait for the next one. */
const maxHeldBack = 20_000
/** Unlisted rows that are dealt with together. */
const chunkRows = 20_000
/** Rows read in one go: 1 to 2 ms. */
const windowRows = 500

export function createDeviceSweeps(
  database: DatabaseSync,
  committer: Committer,
  { rows, sieve, recordSync, now }: DeviceSweepsDeps,
): DeviceSweeps {
  const selectWindow = prepare<UnlistedDevice>(
    database,
    `SELECT id, user, device_key, device_id, source, revision, record_id, other_keys
     FROM device_facts WHERE id > ? ORDER BY id LIMIT ${windowRows}`,
  )
  const markMissing = database.prepare(
    `UPDATE device_facts SET missing_since = ?, as_of =
       max(as_of, coalesce((SELECT confirmed_at FROM sync_state WHERE sync_state.source = device_facts.source), 0))
     WHERE id = ? AND revision = ? AND missing_since IS NULL`,
  )

  function put(
    transaction: Transaction,
    source: string,
    device: SourceDevice,
    row: DeviceRow | undefined,
    confirm: boolean,
    keepHeld: KeepHeld | undefined,
    target: RowWriter = rows,
  ): number {
    if (row === undefined && target.userRow(device.user, source) === undefined) {
      target.putUser(transaction, source, device.user, undefined, { aliases: [], groups: [] })
    }
    const facts =
      row === undefined || keepHeld === undefined ? device.facts : keepHeld(device.facts, factsOf(row))
    return target.putDevice(transaction, source, { ...device, facts }, row, confirm)
  }

  /** Writes a record as it will be written most often: one that another record of its device may stand for is passed over. */
  function propose(source: string, since: number, keepHeld: KeepHeld | undefined) {
    return {
      userOf: ({ user }: SourceDevice) => user,
      write: (device: SourceDevice, transaction: Transaction, target: RowWriter) => {
        const row = target.deviceRow(device.user, device.deviceId, source)
        if (row !== undefined && (row.revision > since || isRival(row, device))) return
        put(transaction, source, device, row, false, keepHeld, target)
      },
    }
  }

  /** The whole table, a window at a time, so that no read stays open between two. */
  async function* windows(): AsyncGenerator<readonly UnlistedDevice[]> {
    let window = selectWindow.all(0)
    while (window.length > 0) {
      yield window
      await nextTurn()
      window = selectWindow.all(window.at(-1)?.id ?? 0)
    }
  }

  function sweepDevices(source: string, { keepHeld }: SweepOptions = {}): DeviceSweep {
    const startedAt = now()
    const startedAtRevision = committer.revision
    const listed = createRowSet()
    /** Records of a device whose own record, that of the row, was not listed yet; by row. */
    const heldBack = new Map<number, SourceDevice>()
    let isAllListed = false

    function take(transaction: Transaction, device: SourceDevice, since: number): void {
      const row = rows.deviceRow(device.user, device.deviceId, source)
      const write = (winner: SourceDevice) => put(transaction, source, winner, row, false, keepHeld)
      if (row === undefined) {
        listed.add(write(device))
        return
      }
      if (!isRival(row, device)) {
        const rival = heldBack.get(row.id)
        heldBack.delete(row.id)
        listed.add(row.id)
        if (row.revision > since) return
        write(rival !== undefined && isBetterRecord(rival.facts, device.facts) ? rival : device)
      } else if (listed.has(row.id)) {
        if (isBetterRecord(device.facts, factsOf(row))) write(device)
      } else {
        holdBack(row.id, device)
      }
    }

    /** The row's own record may still come: until then, another one changes nothing, so that no sweep swaps them. */
    function holdBack(id: number, device: SourceDevice): void {
      const rival = heldBack.get(id)
      if (rival === undefined ? heldBack.size < maxHeldBack : isBetterRecord(device.facts, rival.facts)) {
        heldBack.set(id, device)
      }
    }

    /** What may not be written is listed all the same: its row stays as it is. */
    function listHeld(page: readonly SourceDevice[], admitted: ReadonlySet<SourceDevice>): void {
      for (const device of page) {
        if (admitted.has(device)) continue
        const row = rows.deviceRow(device.user, device.deviceId, source)
        if (row !== undefined && !isRival(row, device)) listed.add(row.id)
      }
    }

    const isUnlisted = (row: UnlistedDevice): boolean =>
      row.source === source && row.revision <= startedAtRevision && !listed.has(row.id)

    /** All unlisted rows, many at a time. */
    async function* unlistedChunks(): AsyncGenerator<readonly UnlistedDevice[]> {
      let chunk: UnlistedDevice[] = []
      for await (const window of windows()) {
        chunk.push(...window.filter(isUnlisted))
        if (chunk.length < chunkRows) continue
        yield chunk
        chunk = []
      }
      if (chunk.length > 0) yield chunk
    }

    /** Those of the rows whose record stands in a listed row too. */
    async function movedAmong(unlisted: readonly UnlistedDevice[]): Promise<readonly UnlistedDevice[]> {
      const byRecord = Map.groupBy(unlisted, (row) => row.record_id)
      const moved: UnlistedDevice[] = []
      for await (const window of windows()) {
        for (const { id, source: of, record_id: recordId } of window) {
          if (of === source && recordId !== null && listed.has(id))
            moved.push(...(byRecord.get(recordId) ?? []))
        }
      }
      return moved
    }

    return {
      get listed() {
        return listed.size
      },

      async add(page, since) {
        const admitted = await sieve.sift(source, page, propose(source, since, keepHeld))
        listHeld(page, new Set(admitted))
        await committer.commitInSlices(admitted, (device, transaction) => take(transaction, device, since))
      },

      async unlisted(limit) {
        const first: UnlistedDevice[] = []
        let [known, count] = [0, 0]
        for await (const window of windows()) {
          const found = window.filter(isUnlisted)
          known += window.filter((row) => row.source === source).length
          count += found.length
          first.push(...found.slice(0, limit - first.length))
        }
        isAllListed = count === 0
        return { known, count, rows: first }
      },

      async removeMoved() {
        let removed = 0
        for await (const chunk of unlistedChunks()) {
          await committer.commitInSlices(await movedAmong(chunk), (row, transaction) => {
            if (rows.removeDevice(transaction, row)) removed++
          })
        }
        return removed
      },

      remove(row) {
        const rival = heldBack.get(row.id)
        heldBack.delete(row.id)
        committer.commit((transaction) => {
          if (rival === undefined) {
            rows.removeDevice(transaction, row)
            return
          }
          const held = rows.deviceRow(row.user, row.device_id, source)
          if (held?.revision === row.revision)
            listed.add(put(transaction, source, rival, held, false, keepHeld))
        })
      },

      async finish({ outcome, faults, error }) {
        if (!isAllListed) {
          for await (const chunk of unlistedChunks()) {
            await committer.commitInSlices(chunk, (row) => markMissing.run(startedAt, row.id, row.revision))
          }
        }
        recordSync(source, {
          outcome,
          at: startedAt,
          confirms: true,
          records: listed.size,
          ...(faults === undefined ? undefined : { faults }),
          ...(error === undefined ? undefined : { error }),
        })
        sieve.finished(source, outcome === 'complete')
      },
    }
  }

  return {
    sweepDevices,

    async putDevices(source, devices, { keepHeld } = {}) {
      const admitted = await sieve.sift(source, devices, propose(source, Infinity, keepHeld))
      const changes = await committer.commitInSlices(admitted, (device, transaction) => {
        const row = rows.deviceRow(device.user, device.deviceId, source)
        if (row !== undefined && isRival(row, device) && !isBetterRecord(device.facts, factsOf(row))) return
        put(transaction, source, device, row, true, keepHeld)
      })
      sieve.finished(source, false)
      return changes
    },

    removeRecord(source, user, deviceId, recordId) {
      return committer.commit((transaction) => {
        const row = rows.deviceRow(user, deviceId, source)
        if (row?.record_id === recordId) rows.removeDevice(transaction, row)
      })
    },
  }
}

/** True where the row holds another record of the device. */
function isRival(row: DeviceRow, { recordId }: SourceDevice): boolean {
  return row.record_id !== null && row.record_id !== recordId
}

function factsOf({ facts }: DeviceRow): DeviceFacts {
  return JSON.parse(facts) as DeviceFacts
}
