import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** What figures depend on, as name and value. */
export function environment(
  packages: readonly string[],
): readonly (readonly [name: string, value: string])[] {
  return [
    ['Date', new Date().toISOString()],
    ['Commit', commit()],
    [
      'Machine',
      `${availableParallelism()} cores, ${cpus()[0]?.model.trim() ?? 'unknown'}, Linux ${release()}`,
    ],
    [
      'Load average before',
      loadavg()
        .map((load) => load.toFixed(2))
        .join(' '),
    ],
    ['node', process.version],
    ...packages.map((name) => [name, versionOf(name)] as const),
  ]
}

function commit(): string {
  const changed =
    git('status', '--porcelain', '--', 'src', 'bench', 'package-lock.json', ':!bench/RESULTS.md') !== ''
  return `${git('rev-parse', '--short=12', 'HEAD')}${changed ? ', with changes that are not committed' : ''}`
}

function git(...args: readonly string[]): string {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim()
}

function versionOf(name: string): string {
  const text = readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
