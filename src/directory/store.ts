import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { type AuditReader, type AuditWriter, createAuditReader, createAuditWriter } from './audit.ts'
import type { Change } from './changes.ts'
import { backupStore, checkStore, type StoreCheck } from './check.ts'
import { createCommitter } from './commit.ts'
import { openForReading, openForWriting, prepare } from './database.ts'
import { createEnrollmentCodeStore, type EnrollmentCodeStore } from './enrollment-codes.ts'
import { DirectoryError, storeError } from './errors.ts'
import { createFullSets, type FullSets } from './full-sets.ts'
import {
  createKeptPolicyReader,
  createKeptPolicyWriter,
  type KeptPolicyReader,
  type KeptPolicyWriter,
} from './kept-policy.ts'
import { createDeviceLister, type DeviceLister } from './list-devices.ts'
import { createGroupsReader, type GroupsReader } from './known-groups.ts'
import { takeOwnerLock } from './owner-lock.ts'
import { createPruner, type Pruned, type Retention } from './prune.ts'
import { createProvenanceReader, type ProvenanceReader } from './provenance.ts'
import { apiSource, createFactsReader, type FactsReader } from './read-facts.ts'
import { createTraceReader, type TraceReader } from './read-traces.ts'
import { createSieve, type ReadingGuard } from './reading-guard.ts'
import type { FactsRecord } from './record.ts'
import { createSeenPairReader, type SeenPairReader } from './seen-pairs.ts'
import type { GuardedStore } from './set-guard.ts'
import type { Sighting } from './sightings.ts'
import { createSigningKeyReader, ensureSecret, type SigningKeyReader } from './signing-keys.ts'
import {
  createSourcePartsReader,
  createSourcePartsWriter,
  type SourcePartsReader,
  type SourcePartsWriter,
} from './source-parts.ts'
import { createDeviceSweeps, type DeviceSweeps } from './sweep-devices.ts'
import { createUserSweeps, type UserSweeps } from './sweep-users.ts'
import { createDirectoryState, createSyncReader, createSyncWriter, type SyncState } from './sync-state.ts'
import type { TraceReport } from './traces.ts'
import {
  createQuarantineHoldWriter,
  createTurnedPairReader,
  type QuarantineHoldWriter,
  type TurnedPairReader,
} from './turned-pairs.ts'
import { createFactsWriter, type UpsertMode } from './write-facts.ts'
import { createImportWriter, type ImportedPair, type ImportedPairs } from './write-imported.ts'
import { createOverrideWriter, type OverrideWriter } from './write-overrides.ts'
import { createPushWriter, type PushWriter } from './write-pushes.ts'
import { createRowWriter } from './write-rows.ts'
import { createSightingsWriter, type RecordedSightings } from './write-sightings.ts'
import { createTracesWriter } from './write-traces.ts'

/** What every process may read of the store. Calls are synchronous where they do not give a promise. */
export interface StoreReader
  extends
    FactsReader,
    DeviceLister,
    AuditReader,
    GroupsReader,
    ProvenanceReader,
    TraceReader,
    KeptPolicyReader,
    SeenPairReader,
    SigningKeyReader,
    TurnedPairReader,
    SourcePartsReader {
  readonly path: string
  /** Every source that counts, `api` first. */
  readonly sourceOrder: readonly string[]
  /** The revision of the last commit. */
  currentRevision(): number
  syncState(source: string): SyncState | undefined
  /** Reads the whole file in one go: see `checkStore`. */
  check(): StoreCheck
  /** Copies the store, as it is now, to a new file. Works beside a running owner. */
  backup(target: string): Promise<void>
  /** Ends all use; more than once is no fault. */
  close(): void
}

/** The owner's side: the one writer. Every write that changes a field tells `onChange` after its commit. */
export interface Store
  extends
    StoreReader,
    AuditWriter,
    OverrideWriter,
    KeptPolicyWriter,
    QuarantineHoldWriter,
    EnrollmentCodeStore,
    DeviceSweeps,
    FullSets,
    UserSweeps,
    SourcePartsWriter,
    PushWriter {
  /**
   * Adds records; settles once they are on disk. A field that a record does not give keeps its value, unless `all` is
   * asked for: then the record stands for the whole device. Lists (aliases, groups) that are given replace the held
   * ones.
   */
  upsert(source: string, records: Iterable<FactsRecord>, mode?: UpsertMode): Promise<readonly Change[]>
  /** Sets who is asked before what a source gives page by page, or as it changes, is written; see `guardSets`. */
  guardReadings(guard: ReadingGuard): void
  /**
   * Removes the device in every spelling, of one source or of all. `user` may be any name of the user, who stays with
   * names and groups.
   */
  remove(user: string, deviceId: string, source?: string): readonly Change[]
  recordSightings(sightings: readonly Sighting[]): Promise<RecordedSightings>
  /** Takes an inventory of Exchange: its pairs count as served by it before. */
  importPairs(pairs: readonly ImportedPair[]): Promise<ImportedPairs>
  /** After the sightings of the same requests: a pair that is not in the inventory gets no trace. */
  recordTraces(traces: readonly TraceReport[]): Promise<void>
  /** A source that has no full sets (a push) is complete from now on. */
  setSourceComplete(source: string): void
  /** What was read of a source last, completely, still stands: every row of it is confirmed, and none is written. */
  setSourceConfirmed(source: string): void
  setSourceFailed(source: string, error: string): void
  /** True where the source has any user or device on record. */
  hasRecords(source: string): boolean
  /** Called once per commit that changed something. A listener must not throw. Gives the function that ends it. */
  onChange(listener: (changes: readonly Change[]) => void): () => void
  /** Removes what is older than the retention allows, and overrides that have ended, in slices. */
  prune(retention: Retention): Promise<Pruned>
}

export interface ReaderOptions {
  /** Configured sources, first the one that goes before the others; `api` goes before all. */
  readonly sourceOrder: readonly string[]
}

export interface StoreOptions extends ReaderOptions {
  readonly now: () => number
}

/**
 * Opens the store as its owner: makes it where there is none, migrates it, checks its pages.
 *
 * @throws {DirectoryError} STORE_LOCKED, STORE_CORRUPT, STORE_FOREIGN, STORE_NEWER, STORE_UNREADABLE
 */
export function openStore(path: string, { sourceOrder, now }: StoreOptions): Store {
  const lock = lockStore(path)
  let database: DatabaseSync | undefined
  try {
    database = openForWriting(path)
    return createOwner(database, lock, path, withApi(sourceOrder), now)
  } catch (error) {
    database?.close()
    lock.close()
    throw storeError(error, path)
  }
}

/**
 * Opens the store for reading, beside its owner or alone.
 *
 * @throws {DirectoryError} STORE_MISSING, STORE_CORRUPT, STORE_FOREIGN, STORE_NEWER, STORE_OLDER, STORE_UNREADABLE
 */
export function openStoreReader(path: string, { sourceOrder }: ReaderOptions): StoreReader {
  const database = openForReading(path)
  try {
    return createReader(database, path, withApi(sourceOrder))
  } catch (error) {
    database.close()
    throw storeError(error, path)
  }
}

function lockStore(path: string): DatabaseSync {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new DirectoryError('STORE_UNREADABLE', `cannot make the folder of ${path}`, { cause: error })
  }
  return takeOwnerLock(path)
}

function withApi(sources: readonly string[]): readonly string[] {
  return [apiSource, ...sources.filter((source) => source !== apiSource)]
}

function createReader(database: DatabaseSync, path: string, sourceOrder: readonly string[]): StoreReader {
  const facts = createFactsReader(database, sourceOrder)
  const selectRevision = prepare<{ value: number }>(database, 'SELECT value FROM store_revision')
  return {
    path,
    sourceOrder,
    ...facts,
    ...createDeviceLister(database, facts, sourceOrder),
    ...createAuditReader(database),
    ...createGroupsReader(database, sourceOrder),
    ...createKeptPolicyReader(database),
    ...createSeenPairReader(database),
    ...createSigningKeyReader(database, path),
    ...createTurnedPairReader(database),
    ...createSourcePartsReader(database, sourceOrder),
    ...createProvenanceReader(database, facts, sourceOrder),
    ...createTraceReader(database),
    currentRevision: () => selectRevision.get()?.value ?? 0,
    syncState: createSyncReader(database),
    check: () => checkStore(database, path),
    backup: (target) => backupStore(database, path, target),
    close() {
      if (database.isOpen) database.close()
    },
  }
}

function createOwner(
  database: DatabaseSync,
  lock: DatabaseSync,
  path: string,
  sourceOrder: readonly string[],
  now: () => number,
): Store {
  const listeners = new Set<(changes: readonly Change[]) => void>()
  const committer = createCommitter(database, path, (changes) => {
    for (const listener of listeners) listener(changes)
  })
  ensureSecret(database, committer)
  const reader = createReader(database, path, sourceOrder)
  const rows = createRowWriter(database, now)
  const facts = createFactsWriter(database, committer, rows)
  const pushes = createPushWriter(database, committer, {
    facts,
    resolve: (name) => reader.resolve(name),
    now,
  })
  const { removeEndedOverrides, ...overrides } = createOverrideWriter(database, committer, reader, now)
  const announce = createDirectoryState(() => ({
    complete: reader.sourcesComplete(),
    unreadGroups: reader.unreadGroups(),
  }))
  const recordSync = createSyncWriter(database, committer, announce)
  const selectRecord = prepare(
    database,
    `SELECT 1 FROM users WHERE source = :source UNION ALL SELECT 1 FROM device_facts WHERE source = :source LIMIT 1`,
  ) as unknown as { get(named: { source: string }): unknown }
  const selectAnything = prepare(database, 'SELECT 1 FROM users UNION ALL SELECT 1 FROM device_facts LIMIT 1')
  let readingGuard: ReadingGuard | undefined
  const hasFacts = (): boolean => selectAnything.get() !== undefined
  const target = (): GuardedStore => ({ path, sourceOrder, at: now() })
  const sieve = createSieve({ guard: () => (hasFacts() ? readingGuard : undefined), target })
  const fullSets = createFullSets({ committer, facts, recordSync, hasFacts, target })

  function known(source: string): string {
    if (sourceOrder.includes(source)) return source
    throw new DirectoryError(
      'SOURCE_UNKNOWN',
      `${source} is not one of the sources ${sourceOrder.join(', ')}`,
    )
  }

  return {
    ...reader,
    ...createAuditWriter(database, committer),
    ...createKeptPolicyWriter(database, committer),
    ...createQuarantineHoldWriter(database, committer),
    ...createEnrollmentCodeStore(database, committer, now),
    ...createDeviceSweeps(database, committer, { rows, sieve, recordSync, now }),
    ...createUserSweeps(database, committer, { rows, sieve, sourceOrder }),
    ...createSourcePartsWriter(database, committer, announce, now),
    ...overrides,
    isPushTaken: pushes.isPushTaken,
    takePush: async (source, push) => pushes.takePush(known(source), push),
    upsert: async (source, records, mode = 'given') => facts.upsert(known(source), records, mode),

    guardSets: (asked) => fullSets.guardSets(asked),
    replace: async (source, records, set) => fullSets.replace(known(source), records, set),
    guardReadings(asked) {
      readingGuard = asked
    },

    remove: (user, deviceId, source) => {
      const name = user.toLowerCase()
      return facts.remove(reader.resolve(name) ?? name, deviceId, source)
    },
    recordSightings: createSightingsWriter(database, committer),
    importPairs: createImportWriter(database, committer, now),
    recordTraces: createTracesWriter(database, committer),
    setSourceComplete: (source) =>
      recordSync(known(source), { outcome: 'complete', at: now(), confirms: false }),
    setSourceConfirmed: (source) =>
      recordSync(known(source), { outcome: 'complete', at: now(), confirms: true }),
    setSourceFailed: (source, error) =>
      recordSync(known(source), { outcome: 'failed', at: now(), confirms: false, error }),
    hasRecords: (source) => selectRecord.get({ source }) !== undefined,
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    prune: createPruner(database, committer, removeEndedOverrides, now),
    close() {
      if (!database.isOpen) return
      committer.close()
      database.close()
      lock.close()
    },
  }
}
