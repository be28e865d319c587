import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The rows of a tab-separated file under test/fixtures, by the names of its first line. */
export function readTsv(...path: readonly string[]): Record<string, string>[] {
  const text = readFileSync(join(import.meta.dirname, '..', 'fixtures', ...path), 'utf8')
  const [names = [], ...rows] = text
    .trim()
    .split('\n')
    .map((line) => line.split('\t'))
  return rows.map((row) => Object.fromEntries(names.map((name, index) => [name, row[index] ?? ''])))
}
