import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** What all figures depend on, as name and value. */
export function environment(
  packages: readonly string[],
): readonly (readonly [name: string, value: string])[] {
  return [
    [
      'Machine',
      `${availableParallelism()} cores, ${cpus()[0]?.model.trim() ?? 'unknown'}, Linux ${release()}`,
    ],
    ['node', process.version],
    ...packages.map((name) => [name, versionOf(name)] as const),
  ]
}

/** When and of what one section was measured. To be asked before its bench runs. */
export function occasion(): string {
  const loads = loadavg().map((load) => load.toFixed(2))
  return `Measured ${new Date().toISOString()}, commit ${commit()}, load average before ${loads.join(' ')}.`
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
