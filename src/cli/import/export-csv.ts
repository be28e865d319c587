import { readCsvLine, readCsvLines, type CsvCells, type CsvLine } from '#directory/csv-lines.ts'
import { splitCsvRecords } from './csv-records.ts'
import { decodeExport, encodingAdvice } from './decode-export.ts'
import type { Finding } from './finding.ts'

/** One object that PowerShell exported. */
export interface ExportRow {
  readonly line: number
  /** The text of a column by its name in any letter case; empty where there is no such column, or nothing in it. */
  readonly value: (column: string) => string
}

/** What `Export-Csv` wrote. */
export interface ExportTable {
  /** Names in lower case. */
  readonly columns: readonly string[]
  readonly rows: readonly ExportRow[]
  /** The records that cannot be read, or one for the whole file. */
  readonly findings: readonly Finding[]
  /** No character above 127: letters that ASCII has not may have become question marks. */
  readonly isAscii: boolean
}

export interface ExpectedExport {
  /** Columns that must be there. */
  readonly columns: readonly string[]
  /** The command that writes such a file, for who gave another one. */
  readonly command: string
}

interface Header {
  readonly delimiter: string
  readonly columns: readonly string[]
  readonly missing: readonly string[]
}

/** The comma, the list separator of most other cultures (-UseCulture), and the tab. */
const delimiters = [',', ';', '\t'] as const

/**
 * Reads the bytes of a file that `Export-Csv` wrote, with or without its `#TYPE` line. A record that cannot be read
 * costs no line outside of its quotes. Column names count without case: some cmdlets write DeviceId, others DeviceID.
 */
export function readExportCsv(bytes: Uint8Array, expected: ExpectedExport): ExportTable {
  const text = decodeExport(bytes)
  if (text === undefined) return unreadable(0, encodingAdvice)
  const typeLine = /^#TYPE [^\r\n]*(?:\r\n|\n|\r|$)/.exec(text)?.[0] ?? ''
  const body = text.slice(typeLine.length)
  const firstLine = typeLine === '' ? 1 : 2
  const header = readHeader(body, expected)
  const fault = headerFault(header, expected)
  if (fault !== undefined) return unreadable(firstLine, fault)
  const { delimiter, columns } = header
  const { records, unclosed } = splitCsvRecords(body, delimiter, firstLine)
  const rows: ExportRow[] = []
  const findings: Finding[] = []
  for (const [record, cells] of readCsvLines(records.slice(1), { delimiter })) {
    const read = toRow(record, cells, columns)
    if ('kind' in read) findings.push(read)
    else rows.push(read)
  }
  if (unclosed !== undefined) {
    const message = 'a quote that opens here is never closed, so nothing from here on was read'
    findings.push({ kind: 'lost', line: unclosed.place, field: '', message })
  }
  return { columns, rows, findings, isAscii: /^[\0-\x7f]*$/.test(text) }
}

function unreadable(line: number, message: string): ExportTable {
  const finding = { kind: 'lost', line, field: '', message } as const
  return { columns: [], rows: [], findings: [finding], isAscii: true }
}

/** The header by the delimiter that finds most of what is expected. */
function readHeader(body: string, { columns: wanted }: ExpectedExport): Header {
  const [text = ''] = body.split(/[\r\n]/, 1)
  const headers = delimiters.map((delimiter): Header => {
    const read = readCsvLine({ place: 1, text }, { delimiter, trim: true })
    const columns = 'cells' in read ? read.cells.map((column) => column.toLowerCase()) : []
    return { delimiter, columns, missing: wanted.filter((column) => !columns.includes(column.toLowerCase())) }
  })
  const [best] = headers.toSorted((one, other) => one.missing.length - other.missing.length)
  return best ?? { delimiter: ',', columns: [], missing: wanted }
}

function headerFault({ columns, missing }: Header, { command }: ExpectedExport): string | undefined {
  if (missing.length > 0) {
    const found = columns.length === 0 ? 'no header line' : columns.join(', ')
    return `expected the columns ${missing.join(', ')}, found ${found}; export with: ${command}`
  }
  const repeated = columns.find((column, index) => columns.indexOf(column) !== index)
  return repeated === undefined ? undefined : `the column ${repeated} stands twice`
}

function toRow(
  { place: line, text }: CsvLine,
  read: CsvCells,
  columns: readonly string[],
): ExportRow | Finding {
  if ('cells' in read && read.cells.length === columns.length) {
    const { cells } = read
    return { line, value: (column) => cells[columns.indexOf(column.toLowerCase())] ?? '' }
  }
  const problem =
    'fault' in read
      ? read.fault.message
      : `expected ${columns.length} cells as in the header, found ${read.cells.length}`
  const lineBreaks = text.match(/\r\n|\n|\r/g)?.length ?? 0
  const extent = lineBreaks === 0 ? '' : `; its quotes take it on to line ${line + lineBreaks}`
  return { kind: 'lost', line, field: '', message: problem + extent }
}
