import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import t from 'tap'
import rows from './fixtures/architecture.json' with { type: 'json' }

/** The rooms of src, top to bottom: a room imports itself and those above it. Files directly in src are `main`. */
const rooms =
  'eas policy config telemetry directory sources fleet enrollment quarantine proxy admin simulator cli main'.split(
    ' ',
  )
const src = join(import.meta.dirname, '../src')
const specifier = /(?:\bfrom|\bimport)[\s(]*(['"])([#.][^'"]*)\1/g

/** The room of a path below src; undefined outside of every room. */
function roomOf(path: string): string | undefined {
  const [room, ...rest] = path.split('/')
  return rooms.find((name) => name === (rest.length === 0 ? 'main' : room))
}

/** What is wrong with an import; undefined if it may stand. */
function fault(file: string, imported: string): string | undefined {
  const path = imported.startsWith('#') ? imported.slice(1) : posix.join(posix.dirname(file), imported)
  const [from, to] = [roomOf(file), roomOf(posix.normalize(path))]
  if (from === undefined) return `src/${file} stands in no room`
  if (to === undefined) return `src/${file} imports ${imported} : that is no room of src`
  // the simulator is a second reader of the protocol and must not share our other code
  const allowed = from === 'simulator' ? ['eas', 'simulator'] : rooms.slice(0, rooms.indexOf(from) + 1)
  return allowed.includes(to) ? undefined : `src/${file} imports ${imported} : ${from} may not import ${to}`
}

void t.test('imports go only upwards', async (t) => {
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => file.endsWith('.ts'))
  for (const file of files) {
    const imports = readFileSync(join(src, file), 'utf8').matchAll(specifier)
    const specifiers = Array.from(imports, ([, , imported = '']) => imported)
    const faults = specifiers.map((imported) => fault(file, imported)).filter((text) => text !== undefined)
    t.ok(roomOf(file), `${file} stands in a room`)
    t.strictSame(faults, [], file)
  }
  t.ok(files.length > 0)
})

void t.test('finds each kind of wrong import', async (t) => {
  for (const { file, imported, wrong } of rows) {
    t.equal(fault(file, imported), wrong ?? undefined, `${file} imports ${imported}`)
  }
})
