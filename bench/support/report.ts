import type { Ratio, Section } from './bench.ts'

/** The report as Markdown. */
export function reportOf(
  environment: readonly (readonly [name: string, value: string])[],
  sections: readonly Section[],
): string {
  const head = [
    '# Bench results',
    'Written by `npm run bench`; not to be edited.',
    table(['', ''], environment),
  ]
  return `${[...head, ...sections.map(sectionText)].join('\n\n')}\n`
}

function sectionText({ title, text, columns, rows, ratios }: Section): string {
  const ratioTable = table(['Ratio', 'Figure', 'Aim', 'Verdict'], ratios.map(ratioRow))
  return [`## ${title}`, text, table(columns, rows), ratioTable].join('\n\n')
}

function ratioRow({ name, value, aim }: Ratio): readonly string[] {
  if (aim === undefined) return [name, value.toFixed(2), '', '']
  return [name, value.toFixed(2), `at most ${aim.toFixed(2)}`, value <= aim ? 'met' : 'missed']
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
