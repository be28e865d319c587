import { type CsvCells, type CsvLine, readCsvLine, readCsvLines } from './csv-lines.ts'
import { type FactsField, type FieldFault, isFactsField, unknownField } from './record.ts'
import { type FactsRows, type RawRow, readRows } from './rows.ts'

const format = { trim: true } as const

/**
 * Reads facts from CSV text: comma separated, a header line, lists split by `;`, an empty cell is an absent field.
 * No field can hold a line break, so each line is a row and a stray quote costs that row only. An unknown, repeated
 * or missing column is a fault of the header, and then no row is read.
 */
export function readFactsCsv(text: string): FactsRows {
  const [header, ...rows] = linesOf(text)
  if (header === undefined) {
    return {
      records: [],
      faults: [{ place: 1, field: '', message: 'expected a header line with the column names' }],
    }
  }
  const columns = readCsvLine(header, format)
  if ('fault' in columns) return { records: [], faults: [{ place: header.place, ...columns.fault }] }
  const faults = headerFaults(columns.cells)
  if (faults.length > 0) {
    return { records: [], faults: faults.map((fault) => ({ place: header.place, ...fault })) }
  }
  return readRows(rawRows(rows, columns.cells.filter(isFactsField)), 'line')
}

function linesOf(text: string): readonly CsvLine[] {
  return text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/)
    .map((line, index) => ({ place: index + 1, text: line }))
    .filter((line) => line.text.trim() !== '')
}

function headerFaults(columns: readonly string[]): readonly FieldFault[] {
  const unknown = columns
    .filter((column) => !isFactsField(column))
    .map((field) => ({ field, message: unknownField.replace('field', 'column') }))
  const repeated = columns
    .filter((column, index) => isFactsField(column) && columns.indexOf(column) !== index)
    .map((field) => ({ field, message: 'this column stands twice' }))
  const missing = columns.includes('user') ? [] : [{ field: 'user', message: 'this column is needed' }]
  return [...unknown, ...repeated, ...missing]
}

function* rawRows(lines: readonly CsvLine[], columns: readonly FactsField[]): Generator<RawRow> {
  for (const [line, cells] of readCsvLines(lines, format)) yield rawRow(line, cells, columns)
}

function rawRow({ place }: CsvLine, parsed: CsvCells, columns: readonly FactsField[]): RawRow {
  if ('fault' in parsed) return { place, fault: parsed.fault }
  const { cells } = parsed
  if (cells.length !== columns.length) {
    const message = `expected ${columns.length} cells as in the header, found ${cells.length}`
    return { place, fault: { field: '', message } }
  }
  const values = columns.map((column, index): [string, unknown] => [
    column,
    cellValue(column, cells[index] ?? ''),
  ])
  return { place, value: Object.fromEntries(values.filter(([, value]) => value !== undefined)) }
}

const lists: ReadonlySet<FactsField> = new Set(['aliases', 'groups', 'otherIds'])
const booleans: ReadonlySet<FactsField> = new Set([
  'enrolled',
  'registered',
  'activated',
  'jailbroken',
  'encrypted',
  'passcode',
  'emailProfileManaged',
  'wipePending',
  'domainJoined',
])
const booleanWords: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['yes', true],
  ['1', true],
  ['false', false],
  ['no', false],
  ['0', false],
])

/** What the record schema reads. A word that is no boolean goes on as text, so that the schema names the fault. */
function cellValue(column: FactsField, cell: string): unknown {
  if (cell === '') return undefined
  if (lists.has(column)) {
    return cell
      .split(';')
      .map((item) => item.trim())
      .filter((item) => item !== '')
  }
  return booleans.has(column) ? (booleanWords.get(cell.toLowerCase()) ?? cell) : cell
}
