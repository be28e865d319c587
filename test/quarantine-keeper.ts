import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { configSchema } from '#config/schema.ts'
import type { QuarantineInForce } from '#proxy/create-proxy.ts'
import { loadNoticeTexts } from '#quarantine/notice-texts.ts'
import { createQuarantineKeeper } from '../src/quarantine-keeper.ts'

const backends = { main: { kind: 'simulator' } }

function keeper(t: Test, quarantine: Readonly<Record<string, unknown>>) {
  const told: QuarantineInForce[] = []
  const lines: unknown[] = []
  const note = (...line: readonly unknown[]) => lines.push(line.at(-1))
  const kept = createQuarantineKeeper({
    config: configSchema.parse({ backends, routing: { default: 'main' }, quarantine }).quarantine,
    log: { info: note, error: note },
    onChange: async (current) => void told.push(current),
  })
  return { kept, told, lines }
}

/** A file of texts in the test's folder. */
function textsFile(t: Test, text: string): string {
  const file = join(t.testdir(), 'texts.yaml')
  writeFileSync(file, text)
  return file
}

void t.test('begins with the texts of the config, and hands on those that are read again', async (t) => {
  const file = textsFile(t, 'subject: First\n')
  const { kept, told, lines } = keeper(t, { language: 'fr', textsFile: file })
  t.strictSame(kept.current().texts, { ...loadNoticeTexts('fr'), subject: 'First' })
  writeFileSync(file, 'subject: Second\n')
  await kept.reload()
  t.equal(kept.current().texts.subject, 'Second')
  t.strictSame(told, [kept.current()])
  t.strictSame(lines, ['texts of the quarantine mailbox reloaded'])
})

void t.test('texts with faults leave the old ones in force', async (t) => {
  const file = textsFile(t, 'subject: First\n')
  const { kept, told, lines } = keeper(t, { textsFile: file })
  writeFileSync(file, 'text: no link\n')
  await kept.reload()
  t.equal(kept.current().texts.subject, 'First')
  t.strictSame([told, lines], [[], ['the new texts have faults; the old ones stay in force']])
})

void t.test('built-in texts are not read again', async (t) => {
  const { kept, told } = keeper(t, {})
  await kept.reload()
  t.strictSame([kept.current().texts, told], [loadNoticeTexts('en'), []])
})

void t.test('a start with faulty texts tells them', async (t) => {
  const file = textsFile(t, 'subject: First\nhtml: no link\n')
  t.throws(() => keeper(t, { textsFile: file }), {
    name: 'ConfigError',
    faults: [{ file, line: 2, path: 'html' }],
  })
})
