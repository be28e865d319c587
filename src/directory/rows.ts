import { deviceKey } from '#eas/device-id.ts'
import { type FactsRecord, type FieldFault, parseRecord } from './record.ts'

/** A fault and where it stands: the line of a CSV file, counted from 1, or the index in a JSON list, from 0. */
export interface RowFault extends FieldFault {
  readonly place: number
}

/** What one file held: the good rows, and what was wrong with the others. */
export interface FactsRows {
  readonly records: readonly { readonly place: number; readonly record: FactsRecord }[]
  readonly faults: readonly RowFault[]
}

/** One row before it is read: a value, or what made it unreadable. */
export type RawRow =
  { readonly place: number; readonly value: unknown } | { readonly place: number; readonly fault: FieldFault }

/** Takes rows one after the other. A bad row never costs a good one; of two rows for one device the first stands. */
export interface RowReader extends FactsRows {
  read(row: RawRow): void
}

/** @param placeName what a `place` is called in a fault: line, index */
export function createRowReader(placeName: string): RowReader {
  const records: { place: number; record: FactsRecord }[] = []
  const faults: RowFault[] = []
  const firstPlaces = new Map<string, number>()
  return {
    records,
    faults,
    read(row) {
      const { place } = row
      const parsed = 'fault' in row ? { faults: [row.fault] } : parseRecord(row.value)
      if ('faults' in parsed) {
        faults.push(...parsed.faults.map((fault) => ({ place, ...fault })))
        return
      }
      const { record } = parsed
      const key = JSON.stringify([
        record.user,
        record.deviceId === undefined ? null : deviceKey(record.deviceId),
      ])
      const first = firstPlaces.get(key)
      if (first !== undefined) {
        const field = record.deviceId === undefined ? 'user' : 'deviceId'
        faults.push({ place, field, message: `already given in ${placeName} ${first}` })
        return
      }
      firstPlaces.set(key, place)
      records.push({ place, record })
    },
  }
}

/** Reads all rows at once. */
export function readRows(rows: Iterable<RawRow>, placeName: string): FactsRows {
  const reader = createRowReader(placeName)
  for (const row of rows) reader.read(row)
  return { records: reader.records, faults: reader.faults }
}
