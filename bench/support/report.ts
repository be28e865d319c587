import type { Ratio, Section } from './bench.ts'
import { median, quantile } from './statistics.ts'

/** A section, and when it was measured. */
export interface MeasuredSection extends Section {
  readonly occasion: string
}

/**
 * The report as Markdown.
 * @param earlier a report whose other sections are kept, where not all were measured now
 */
export function reportOf(
  environment: readonly (readonly [name: string, value: string])[],
  sections: readonly MeasuredSection[],
  earlier = '',
): string {
  const head = [
    '# Bench results',
    'Written by `npm run bench`; not to be edited.',
    table(['', ''], environment),
  ].join('\n\n')
  const texts = new Map(
    earlier.split(/^(?=## )/m).flatMap((part) => (part.startsWith('## ') ? [titled(part)] : [])),
  )
  for (const section of sections) texts.set(section.title, sectionText(section))
  return `${[head, ...texts.values()].join('\n\n')}\n`
}

function titled(part: string): readonly [title: string, text: string] {
  return [part.slice(3, part.indexOf('\n')), part.trimEnd()]
}

function sectionText({ title, occasion, text, columns, rows, ratios }: MeasuredSection): string {
  const ratioTable = table(
    ['Ratio, round by round', 'Median', 'Middle half', 'Aim', 'Verdict'],
    ratios.map(ratioRow),
  )
  return [`## ${title}`, text, occasion, table(columns, rows), ratioTable].join('\n\n')
}

function ratioRow({ name, ofRounds, aim }: Ratio): readonly string[] {
  const middle = median(ofRounds)
  const half = `${quantile(ofRounds, 0.25).toFixed(2)} to ${quantile(ofRounds, 0.75).toFixed(2)}`
  const verdict =
    aim === undefined ? ['', ''] : [`at most ${aim.toFixed(2)}`, middle <= aim ? 'met' : 'missed']
  return [name, middle.toFixed(2), half, ...verdict]
}

/** Padded, so that it reads in a terminal too. */
function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map((column, index) =>
    Math.max(3, column.length, ...rows.map((row) => row[index]?.length ?? 0)),
  )
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, index) => (cells[index] ?? '').padEnd(width)).join(' | ')} |`
  return [line(columns), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}
