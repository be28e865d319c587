import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { configSchema } from '#config/schema.ts'
import type { EnrollmentInForce } from '#proxy/create-proxy.ts'
import { createEnrollmentKeeper } from '../src/enrollment-keeper.ts'

function keeper(t: Test, sections: Readonly<Record<string, unknown>>) {
  const told: EnrollmentInForce[] = []
  const lines: unknown[] = []
  const note = (...line: readonly unknown[]) => lines.push(line.at(-1))
  const kept = createEnrollmentKeeper({
    config: configSchema.parse({ backends: {}, routing: { default: 'main' }, ...sections }),
    log: { info: note, error: note },
    onChange: async (current) => void told.push(current),
  })
  return { kept, told, lines }
}

function textsFile(t: Test, name: string, text: string): string {
  const file = join(t.testdirName, name)
  writeFileSync(file, text)
  return file
}

void t.test('has the texts of both files, and hands on those that are read again', async (t) => {
  t.testdir()
  const pages = textsFile(t, 'pages.yaml', 'start: { title: First }\n')
  const notice = textsFile(t, 'notice.yaml', 'reasons: { noncompliant: { why: Because., todo: Wait. } }\n')
  const { kept, told, lines } = keeper(t, {
    enrollment: { textsFiles: { en: pages } },
    quarantine: { language: 'de', textsFile: notice },
  })
  t.equal(kept.current().texts.en.start.title, 'First')
  t.equal(kept.current().notices.de.reasons.noncompliant?.why, 'Because.')
  t.match(kept.current().notices.en.reasons.noncompliant?.why, 'does not meet a rule')
  writeFileSync(pages, 'start: { title: Second }\n')
  await kept.reload()
  t.equal(kept.current().texts.en.start.title, 'Second')
  t.strictSame(told, [kept.current()])
  t.strictSame(lines, ['texts of the enrolment pages reloaded'])
})

void t.test('texts with a fault leave the old ones in force', async (t) => {
  t.testdir()
  const pages = textsFile(t, 'pages.yaml', 'start: { title: First }\n')
  const { kept, told, lines } = keeper(t, { enrollment: { textsFiles: { en: pages } } })
  writeFileSync(pages, 'start: { headline: Second }\n')
  await kept.reload()
  t.equal(kept.current().texts.en.start.title, 'First')
  t.strictSame(told, [])
  t.strictSame(lines, ['the new texts have faults; the old ones stay in force'])
})

void t.test('built-in texts are not read again', async (t) => {
  const { kept, told } = keeper(t, {})
  await kept.reload()
  t.strictSame(told, [])
})
