import type { Turn } from './compare.ts'

const columns: readonly (readonly [name: string, cell: (turn: Turn) => string])[] = [
  ['to', ({ to }) => to],
  ['user', ({ pair }) => pair.user],
  ['deviceId', ({ pair }) => pair.deviceId],
  ['platform', ({ platform }) => platform],
  ['groups', ({ groups }) => groups.join(';')],
  ['lastSeenAt', ({ pair }) => new Date(pair.lastAt).toISOString()],
  ['actionBefore', ({ before }) => before.action],
  ['reasonBefore', ({ before }) => before.reason],
  ['ruleBefore', ({ before }) => before.rule],
  ['modeBefore', ({ before }) => before.mode],
  ['actionAfter', ({ after }) => after.action],
  ['reasonAfter', ({ after }) => after.reason],
  ['ruleAfter', ({ after }) => after.rule],
  ['modeAfter', ({ after }) => after.mode],
]

/** The list of devices that would turn, as CSV: a header line, then one line each. RFC 4180, with LF. */
export async function* turnCsv(turns: AsyncIterable<Turn>): AsyncGenerator<string> {
  yield csvLine(columns.map(([name]) => name))
  for await (const turn of turns) yield csvLine(columns.map(([, cell]) => cell(turn)))
}

function csvLine(cells: readonly string[]): string {
  return `${cells.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',')}\n`
}
