import { parse } from 'csv-parse/sync'
import type { FieldFault } from './record.ts'

/** One record of a CSV text, as it stands there, and the line that it starts in, counted from 1. */
export interface CsvLine {
  readonly place: number
  readonly text: string
}

/** Its cells, or that it has none because a quote is out of place. */
export type CsvCells = { readonly cells: readonly string[] } | { readonly fault: FieldFault }

export interface CsvFormat {
  /** Default: a comma. */
  readonly delimiter?: string
  /** Space around a cell does not count. Default: it does. */
  readonly trim?: boolean
}

/** Records handed to the CSV reader at once: one by one costs eight times as much. */
const batchLines = 500

/** Reads records one after the other. A stray quote costs the record that it stands in, and no other. */
export function* readCsvLines(
  lines: readonly CsvLine[],
  format: CsvFormat,
): Generator<readonly [line: CsvLine, cells: CsvCells]> {
  for (let start = 0; start < lines.length; start += batchLines) {
    const batch = lines.slice(start, start + batchLines)
    const rows = parseLines(batch, format)
    for (const [index, line] of batch.entries()) {
      const cells = rows?.[index]
      yield [line, cells === undefined ? readCsvLine(line, format) : { cells }]
    }
  }
}

/** Reads one record. */
export function readCsvLine({ text }: CsvLine, format: CsvFormat): CsvCells {
  try {
    return { cells: parse(text, format)[0] ?? [] }
  } catch {
    const { delimiter = ',' } = format
    const expected = delimiter === ',' ? 'comma separated cells' : `cells separated by ${delimiter}`
    return { fault: { field: '', message: `expected ${expected}; check the quotes` } }
  }
}

/** The cells of many records; undefined where one of them has a stray quote or another number of cells. */
function parseLines(lines: readonly CsvLine[], format: CsvFormat): readonly string[][] | undefined {
  try {
    const rows = parse(lines.map((line) => line.text).join('\n'), format)
    return rows.length === lines.length ? rows : undefined
  } catch {
    return undefined
  }
}
