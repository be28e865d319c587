import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { languages } from '#config/languages.ts'
import { ConfigError, faultText } from '#config/yaml.ts'
import { loadPageTexts } from '#enrollment/texts.ts'

function textsFile(t: Test, text: string): string {
  const file = join(t.testdir(), 'texts.yaml')
  writeFileSync(file, text)
  return file
}

/** Every text, with its place. */
function leavesOf(value: unknown, path = ''): readonly (readonly [path: string, text: string])[] {
  if (typeof value === 'string') return [[path, value]]
  return Object.entries(value ?? {}).flatMap(([key, inner]) => leavesOf(inner, `${path}.${key}`))
}

void t.test('each language says all of it in words of its own', async (t) => {
  const all = loadPageTexts()
  const english = new Map(leavesOf(all.en))
  t.ok(english.size > 80)
  // a word, and names, that some of them share with English
  const shared = new Set(['.device.system', '.start.codeLabel'])
  for (const language of languages.filter((each) => each !== 'en')) {
    const texts = leavesOf(all[language])
    t.strictSame(
      texts.map(([path]) => path),
      [...english.keys()],
      language,
    )
    const same = texts.filter(([path, text]) => english.get(path) === text && !shared.has(path))
    t.strictSame(same, [], language)
  }
})

void t.test('a file replaces what it names, in its language alone', async (t) => {
  const built = loadPageTexts()
  const file = textsFile(t, 'start: { title: Hilfe }\nguidance: { enroll: { iOS: [Rufen Sie an.] } }\n')
  const { de, ...others } = loadPageTexts({ de: file })
  t.equal(de.start.title, 'Hilfe')
  t.strictSame(de.guidance.enroll.iOS, ['Rufen Sie an.'], 'a list counts as one')
  const { title: _title, ...start } = de.start
  t.match(built.de.start, start)
  t.strictSame(de.guidance.enroll.Android, built.de.guidance.enroll.Android)
  const { de: _german, ...builtOthers } = built
  t.strictSame(others, builtOthers)
})

void t.test('an empty file replaces nothing', async (t) => {
  t.strictSame(loadPageTexts({ fr: textsFile(t, '# later\n') }), loadPageTexts())
})

void t.test('a text may come from the environment', async (t) => {
  const file = textsFile(t, 'device: { help: "Call ${PHONE}." }\n')
  t.equal(loadPageTexts({ en: file }, { PHONE: '555' }).en.device.help, 'Call 555.')
})

void t.test('every fault of every file is told by its line', async (t) => {
  const file = textsFile(
    t,
    [
      'start:',
      '  title: ""',
      '  headline: x',
      'device:',
      `  help: ${'long '.repeat(81)}`,
      'guidance:',
      '  support: []',
      '  enroll:',
      '    iOS: [a, b, c, d, e, f, g, h, i]',
      '    Symbian: [a]',
      '  wait: [1]',
      'colours: {}',
      '',
    ].join('\n'),
  )
  const missing = join(t.testdirName, 'nothing.yaml')
  try {
    loadPageTexts({ en: file, ja: missing }, {})
    t.fail('expected faults')
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    t.strictSame(
      error.faults.map(faultText).map((line) => line.replace(`${t.testdirName}/`, '')),
      [
        'texts.yaml:2: start.title: expected a text that is not empty',
        'texts.yaml:3: start.headline: unknown key',
        'texts.yaml:5: device.help: expected at most 400 characters',
        'texts.yaml:7: guidance.support: expected at least one step',
        'texts.yaml:9: guidance.enroll.iOS: expected at most 8 steps',
        'texts.yaml:10: guidance.enroll.Symbian: unknown key',
        'texts.yaml:11: guidance.wait.0: expected a text, found a number',
        'texts.yaml:12: colours: unknown key',
        `nothing.yaml: cannot be read: ENOENT: no such file or directory, open '${missing}'`,
      ],
    )
  }
})
