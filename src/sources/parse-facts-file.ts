import { extname } from 'node:path'
import { decodeUtf8 } from '#eas/text.ts'
import { readFactsCsv } from '#directory/csv.ts'
import { readFactsJson } from '#directory/json.ts'
import type { FactsRows } from '#directory/rows.ts'

const readers: ReadonlyMap<string, (text: string) => FactsRows> = new Map([
  ['.csv', readFactsCsv],
  ['.json', readFactsJson],
])

/** Reads the bytes of a facts file, CSV or JSON by the extension of its path. Bytes that are not UTF-8 are one fault. */
export function parseFactsFile(path: string, bytes: Uint8Array): FactsRows {
  const read = readers.get(extname(path).toLowerCase())
  if (read === undefined) return wholeFault('expected a file name that ends in .csv or .json')
  const text = decodeUtf8(bytes)
  return text === undefined ? wholeFault('expected UTF-8') : read(text)
}

function wholeFault(message: string): FactsRows {
  return { records: [], faults: [{ place: 0, field: '', message }] }
}
