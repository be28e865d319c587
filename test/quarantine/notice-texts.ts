import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { languages } from '#config/languages.ts'
import { ConfigError, faultText } from '#config/yaml.ts'
import { reasons } from '#policy/reasons.ts'
import { renderNotice } from '#quarantine/notice.ts'
import { loadNoticeTexts } from '#quarantine/notice-texts.ts'

const facts = {
  link: `https://mail.example.com/easgate/enroll/${'t'.repeat(60)}`,
  device: 'iPhone 15, iOS 17.5',
  user: 'u@x.example',
}

/** Reasons that a quarantine or a redirect is given for, by the policy's criteria. */
const refusalReasons = [
  'unsupported-platform',
  'device-rule',
  'default-access',
  'not-enrolled',
  'not-registered',
  'not-activated',
  'noncompliant',
  'compliance-unknown',
  'posture-unknown',
  'jailbroken',
  'quota-exceeded',
  'source-unavailable',
  'facts-stale',
  'personal-block',
  'owner-mismatch',
  'device-mismatch',
  'protocol-too-old',
  'client-not-allowed',
] as const

void t.test('every language tells every reason, shortly and with the link first', async (t) => {
  for (const language of languages) {
    const texts = loadNoticeTexts(language)
    t.strictSame(Object.keys(texts.reasons).toSorted(), refusalReasons.toSorted(), language)
    for (const reason of reasons) {
      const notice = renderNotice(texts, reason, facts)
      t.ok(notice.text.startsWith(`${facts.link}\n`), `${language} ${reason}`)
      t.ok(notice.html.startsWith(`<p><a href="${facts.link}">`))
      t.ok(Buffer.byteLength(notice.text) <= 450 && Buffer.byteLength(notice.html) <= 450)
      t.notMatch(`${notice.subject}${notice.senderName}${notice.text}${notice.html}`, /[{}]/)
    }
  }
})

void t.test('no two languages say the same', async (t) => {
  const all = languages.map((language) => loadNoticeTexts(language))
  for (const reason of refusalReasons) {
    t.equal(new Set(all.map((texts) => texts.reasons[reason]?.why)).size, all.length, reason)
  }
})

/** A file of texts. */
function textsFile(t: Test, text: string): string {
  const file = join(t.testdir(), 'texts.yaml')
  writeFileSync(file, text)
  return file
}

void t.test('a file takes the place of what it has, and of nothing else', async (t) => {
  const file = textsFile(
    t,
    'senderName: ${TEAM}\nreasons:\n  noncompliant: { why: "Too old: {device}.", todo: Update it. }\n',
  )
  const texts = loadNoticeTexts('de', file, { TEAM: 'Team Mail' })
  const builtIn = loadNoticeTexts('de')
  t.strictSame(texts, {
    ...builtIn,
    senderName: 'Team Mail',
    reasons: { ...builtIn.reasons, noncompliant: { why: 'Too old: {device}.', todo: 'Update it.' } },
  })
  t.match(renderNotice(texts, 'noncompliant', facts).text, 'Too old: iPhone 15, iOS 17.5. Update it.')
  t.strictSame(loadNoticeTexts('fr', textsFile(t, '')), loadNoticeTexts('fr'))
})

void t.test('all faults of a file are told at once, with their lines', async (t) => {
  const directory = join(import.meta.dirname, '../fixtures/quarantine')
  const file = join(directory, 'faulty-texts.yaml')
  const expected = readFileSync(join(directory, 'faulty-texts.txt'), 'utf8').trim().split('\n')
  t.throws(() => loadNoticeTexts('en', file), { name: 'ConfigError' })
  t.strictSame(faultsOf(file), expected)
})

function faultsOf(file: string): string[] {
  try {
    loadNoticeTexts('en', file, {})
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.faults.map((fault) => faultText({ ...fault, file: 'texts.yaml' }))
  }
}

void t.test('faults of the form hide no others', async (t) => {
  const file = textsFile(t, 'subjekt: a\nreasons:\n  stolen: { why: a, todo: b }\n  jailbroken: { why: a }\n')
  t.strictSame(faultsOf(file), [
    'texts.yaml:1: subjekt: unknown key',
    'texts.yaml:3: reasons.stolen: unknown key',
    'texts.yaml:4: reasons.jailbroken.todo: missing: expected a text',
  ])
})

void t.test('text and HTML both need the link', async (t) => {
  t.strictSame(faultsOf(textsFile(t, `text: '{why}'\nhtml: '<p>{why} {link}</p>'\n`)), [
    'texts.yaml:1: text: expected {link} in it',
    'texts.yaml:2: html: expected <a href="{link}"> in it',
  ])
})

void t.test('a body that is too long is told with the reason that makes it so', async (t) => {
  const long = 'x'.repeat(500)
  const own = textsFile(t, `subject: a\nreasons:\n  jailbroken: { why: ${long}, todo: b }\n`)
  t.match(faultsOf(own), [
    /^texts.yaml:3: reasons.jailbroken: the text for it has 6\d\d bytes, .* at most 600$/,
  ])
  const general = textsFile(t, `otherReasons:\n  why: ${long}\n  todo: b\n`)
  t.match(faultsOf(general), [/^texts.yaml:1: otherReasons: the text for it has/])
  t.equal(faultsOf(textsFile(t, `html: '<a href="{link}">a</a>${long}'`)).length, refusalReasons.length + 1)
})

void t.test('a file that cannot be read is a fault of its own', async (t) => {
  t.match(faultsOf(join(t.testdir(), 'nothing.yaml')), [/^texts.yaml: cannot be read: ENOENT/])
})
