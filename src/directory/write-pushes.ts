import type { DatabaseSync } from 'node:sqlite'
import { deviceKey } from '#eas/device-id.ts'
import type { Change } from './changes.ts'
import type { Committer } from './commit.ts'
import { prepare } from './database.ts'
import type { FactsRecord } from './record.ts'
import type { FactsWriter } from './write-facts.ts'

/** What one signed message said. Times are ms since the epoch. */
export interface Push {
  /** What a second delivery of the message is known by. */
  readonly signature: string
  /** When its sender signed it, by the sender's clock. */
  readonly signedAt: number
  readonly records: readonly FactsRecord[]
  /** Devices of which the sender says that they are gone. `user` may be any name of the user. */
  readonly removed: readonly PushedRemoval[]
}

/** A device that is gone. */
export interface PushedRemoval {
  readonly user: string
  readonly deviceId: string
}

/** What a push did. */
export interface TakenPush {
  readonly changes: readonly Change[]
  /** Records and removals of which nothing was taken: something newer is known of the same device or user. */
  readonly outdated: number
}

export interface PushWriter {
  /** True where the push was taken before, or may have been so long ago that it is forgotten. */
  readonly isPushTaken: (source: string, push: Pick<Push, 'signature' | 'signedAt'>) => boolean
  /**
   * Takes a push, whole. Of each device, and of names and groups of each user, what was signed last stands, in whatever
   * order messages arrive. Pushes of one source are to be taken one after the other.
   */
  takePush(source: string, push: Push): Promise<TakenPush>
}

export interface PushWriterDeps {
  readonly facts: FactsWriter
  /** The one user that a name (lower case) leads to. */
  readonly resolve: (name: string) => string | undefined
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** What is on record of a push is kept for longer than any message is good for. */
export const pushMemoryMs = 15 * 60_000
const pruneIntervalMs = 60_000

/** Signatures that were forgotten were not signed later than this mark. */
const floorMark = 'floor'
const pushMark = (signature: string) => `push ${signature}`
const listsMark = (user: string) => `lists ${user}`
const deviceMark = (user: string, deviceId: string) => `device ${JSON.stringify([user, deviceKey(deviceId)])}`

export function createPushWriter(
  database: DatabaseSync,
  committer: Committer,
  { facts, resolve, now }: PushWriterDeps,
): PushWriter {
  const selectMark = prepare<{ at: number }>(
    database,
    'SELECT at FROM push_marks WHERE source = ? AND mark = ?',
  )
  const upsertMark = database.prepare(
    `INSERT INTO push_marks (source, mark, at) VALUES (?, ?, ?)
     ON CONFLICT (source, mark) DO UPDATE SET at = max(at, excluded.at)`,
  )
  const selectLastForgotten = prepare<{ at: number | null }>(
    database,
    `SELECT max(at) AS at FROM push_marks WHERE source = ? AND at < ? AND mark LIKE 'push %'`,
  )
  const forget = database.prepare(
    `DELETE FROM push_marks WHERE source = ? AND at < ? AND mark <> '${floorMark}'`,
  )
  const prunedAt = new Map<string, number>()

  const markedAt = (source: string, mark: string): number =>
    selectMark.get(source, mark)?.at ?? Number.NEGATIVE_INFINITY

  /** A clock that goes back makes old messages young again: what is forgotten stays refused by the mark of the floor. */
  function prune(source: string): void {
    const at = now()
    if (at - (prunedAt.get(source) ?? 0) < pruneIntervalMs) return
    prunedAt.set(source, at)
    const before = at - pushMemoryMs
    committer.commit(() => {
      const last = selectLastForgotten.get(source, before)?.at
      if (last === undefined || last === null) return
      upsertMark.run(source, floorMark, last)
      forget.run(source, before)
    })
  }

  /** What of a record nobody has said anything newer of; undefined where nothing is left of it. */
  function currentPart(source: string, record: FactsRecord, signedAt: number): FactsRecord | undefined {
    const { user, aliases, groups, deviceId, ...device } = record
    const isCurrent = (mark: string) => signedAt >= markedAt(source, mark)
    const hasLists = aliases !== undefined || groups !== undefined
    if (!hasLists && deviceId === undefined) return record
    const areListsCurrent = hasLists && isCurrent(listsMark(user))
    const isDeviceCurrent = deviceId !== undefined && isCurrent(deviceMark(user, deviceId))
    if (!areListsCurrent && !isDeviceCurrent) return undefined
    return {
      user,
      ...(areListsCurrent && aliases !== undefined && { aliases }),
      ...(areListsCurrent && groups !== undefined && { groups }),
      ...(isDeviceCurrent && { deviceId, ...device }),
    }
  }

  return {
    isPushTaken: (source, { signature, signedAt }) =>
      signedAt <= markedAt(source, floorMark) || selectMark.get(source, pushMark(signature)) !== undefined,

    async takePush(source, { signature, signedAt, records, removed }) {
      const current = records.flatMap((record) => currentPart(source, record, signedAt) ?? [])
      // the sender's clock may be ahead: facts never get an age that is yet to come. T-55
      const changes = [...(await facts.upsert(source, current, 'given', Math.min(signedAt, now())))]
      const marks = current.flatMap(marksOf)
      let outdatedRemovals = 0
      for (const { user, deviceId } of removed) {
        const name = user.toLowerCase()
        const owner = resolve(name) ?? name
        const mark = deviceMark(owner, deviceId)
        if (signedAt < markedAt(source, mark)) {
          outdatedRemovals++
          continue
        }
        changes.push(...facts.remove(owner, deviceId, source))
        marks.push(mark)
      }
      // the signature last: of a push that breaks off on the way the sender hears nothing, and may send it again
      await committer.commitInSlices([...marks, pushMark(signature)], (mark) => {
        upsertMark.run(source, mark, signedAt)
      })
      prune(source)
      return { changes, outdated: records.length - current.length + outdatedRemovals }
    },
  }
}

/** What a record says something of. */
function marksOf({ user, deviceId, aliases, groups }: FactsRecord): readonly string[] {
  return [
    ...(aliases === undefined && groups === undefined ? [] : [listsMark(user)]),
    ...(deviceId === undefined ? [] : [deviceMark(user, deviceId)]),
  ]
}
