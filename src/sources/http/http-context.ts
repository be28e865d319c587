import type { HttpSourceConfig } from '#config/sources.ts'
import { visitInSlices } from '#directory/commit.ts'
import type { Store } from '#directory/store.ts'
import type { SourceDevice } from '#directory/sweep-devices.ts'
import { deviceFactsOf } from '#directory/record.ts'
import type { Logger } from '#telemetry/log.ts'
import type { FieldPath } from './field-path.ts'
import type { Mdm } from './mdm.ts'
import type { FaultyRecord, ReadRecord, RecordReader } from './read-record.ts'

/** What the HTTP source uses of the store. */
export type HttpStore = Pick<
  Store,
  | 'currentRevision'
  | 'upsert'
  | 'putDevices'
  | 'remove'
  | 'sweepDevices'
  | 'sweepDescribedUsers'
  | 'setSourceComplete'
  | 'setSourceFailed'
>

/** What the parts of the HTTP source share. */
export interface HttpContext {
  /** Of the source, as facts carry it. */
  readonly name: string
  readonly config: Pick<HttpSourceConfig, 'lookupUrl' | 'bulkUrl' | 'maxDrop'>
  /** Where records and the next page stand in an answer. */
  readonly records: FieldPath
  readonly lookupRecords: FieldPath
  readonly nextPath: FieldPath | undefined
  readonly readRecord: RecordReader
  readonly store: HttpStore
  readonly mdm: Mdm
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>
}

/** A record as the store takes it from a source that has ids of its own for its records. */
export function sourceDevice({ record, recordId }: ReadRecord): SourceDevice {
  const { user, deviceId, otherIds = [] } = record
  return { user, deviceId, otherIds, recordId, facts: deviceFactsOf(record) }
}

/** What one answer holds, sorted by what can be made of it. */
export interface SortedRecords {
  readonly taken: readonly ReadRecord[]
  readonly faulty: readonly FaultyRecord[]
}

/** Reads the records of one answer, in slices: a thousand take 30 ms. Those of no user and no phone are left out. */
export async function sortRecords(
  items: readonly unknown[],
  readRecord: RecordReader,
): Promise<SortedRecords> {
  const taken: ReadRecord[] = []
  const faulty: FaultyRecord[] = []
  await visitInSlices(items, (item) => {
    const read = readRecord(item)
    if (read === undefined) return
    if ('record' in read) taken.push(read)
    else faulty.push(read)
  })
  return { taken, faulty }
}
