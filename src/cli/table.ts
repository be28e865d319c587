/** Cells under each other, two blanks between them; the last of a row is as long as it is. */
export function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length)
  }
  return rows.map((row) => {
    const last = row.length - 1
    const cells = row.map((cell, index) => (index === last ? cell : cell.padEnd(widths[index] ?? 0)))
    return cells.join('  ').trimEnd()
  })
}
