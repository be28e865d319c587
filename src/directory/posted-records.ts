import { visitInSlices } from './commit.ts'
import type { FactsRecord } from './record.ts'
import { createRowReader } from './rows.ts'

/** What a message with records held: all of them, or what is wrong with it. Nothing of a faulty message is taken. */
export type PostedRecords = { readonly records: readonly FactsRecord[] } | PostedFaults

export interface PostedFaults {
  /** How many, in words. */
  readonly detail: string
  /** The first of them; `index` counts from 0. */
  readonly errors: readonly { readonly index: number; readonly field: string; readonly message: string }[]
}

/** Faults that an answer names at most; behind them nothing is looked at. */
const maxFaults = 100

/** Reads the records of one message, in slices: a check of 10,000 takes a third of a second. */
export async function readPostedRecords(items: readonly unknown[]): Promise<PostedRecords> {
  const reader = createRowReader('index')
  await visitInSlices(items.entries(), ([place, value]) => {
    if (reader.faults.length < maxFaults) reader.read({ place, value })
  })
  const { records, faults } = reader
  if (faults.length === 0) return { records: records.map(({ record }) => record) }
  const count = faults.length < maxFaults ? `${faults.length}` : `${maxFaults} or more`
  return {
    detail: `${count} faults; nothing was changed`,
    errors: faults.slice(0, maxFaults).map(({ place, field, message }) => ({ index: place, field, message })),
  }
}
