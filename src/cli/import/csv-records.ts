import type { CsvLine } from '#directory/csv-lines.ts'

/** The records of a CSV text. */
export interface CsvRecords {
  readonly records: readonly CsvLine[]
  /** A last one, with a quote that is never closed: every line from its place on stands in it. */
  readonly unclosed?: CsvLine
}

/**
 * Cuts a CSV text into records. A quoted cell may hold line breaks, as a mailbox log does; a quote that does not stand
 * at the start of a cell opens nothing, so that it swallows no other line. Empty lines are left out.
 *
 * @param firstLine number of the text's first line in its file
 */
export function splitCsvRecords(text: string, delimiter: string, firstLine = 1): CsvRecords {
  const records: CsvLine[] = []
  let place = firstLine
  let line = firstLine
  let start = 0
  let isCellStart = true
  let isQuoted = false
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    const isLineEnd = char === '\n' || (char === '\r' && text[at + 1] !== '\n')
    if (isLineEnd) line++
    if (isQuoted) {
      // a doubled quote closes and opens again: the same as if it stood for itself
      isQuoted = char !== '"' || text[at + 1] === '"'
      if (char === '"' && isQuoted) at++
    } else if (char === '"') {
      isQuoted = isCellStart
      isCellStart = false
    } else if (isLineEnd) {
      push({ place, text: text.slice(start, at) })
      start = at + 1
      place = line
      isCellStart = true
    } else {
      isCellStart = char === delimiter
    }
  }
  const last = { place, text: text.slice(start) }
  if (isQuoted) return { records, unclosed: last }
  push(last)
  return { records }

  function push(record: CsvLine): void {
    const trimmed = record.text.endsWith('\r') ? record.text.slice(0, -1) : record.text
    if (trimmed.trim() !== '') records.push({ place: record.place, text: trimmed })
  }
}
