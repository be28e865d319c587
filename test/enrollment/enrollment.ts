import t from 'tap'
import type { SeenPair } from '#directory/seen-pairs.ts'
import { createEnrollment, type EnrollmentOptions, type EnrollmentRequest } from '#enrollment/enrollment.ts'
import { loadPageTexts } from '#enrollment/texts.ts'

const texts = loadPageTexts()
const pair = { user: 'alice@example.com', deviceId: 'ApplA', deviceKey: 'appla' } as SeenPair
const home = '/easgate/enroll/'

/** The pages of one worker for alice's phone, whose token is `alice`. */
function pages(options: Partial<EnrollmentOptions> = {}) {
  const clock = { at: 0, now: () => clock.at }
  const enrollment = createEnrollment({
    texts: () => texts,
    language: 'en',
    why: () => 'It is not managed.',
    links: { read: (token) => (token === 'alice' ? pair : undefined), tokenFor: (id) => `token-${id}` },
    publicUrl: () => 'https://mail.example.com/easgate/enroll/',
    standing: () => ({
      reason: 'not-enrolled',
      model: undefined,
      platform: 'iOS',
      osVersion: undefined,
      wanting: [],
    }),
    lookUp: async () => 'none',
    makeCode: async () => undefined,
    enterCode: async () => ({ kind: 'unknown' }),
    now: () => 0,
    clock,
    ...options,
  })
  let forms = 0
  const ask = (path: string, more: Partial<EnrollmentRequest> & { readonly form?: string } = {}) =>
    enrollment({
      method: more.form === undefined ? 'GET' : 'POST',
      path,
      query: undefined,
      acceptLanguage: undefined,
      address: '192.0.2.1',
      readForm: async () => {
        forms++
        return Buffer.from(more.form ?? '')
      },
      ...more,
    })
  return { ask, clock, forms: () => forms }
}

void t.test('an address may look 120 times a minute, and act 20 times', async (t) => {
  const { ask, clock, forms } = pages()
  for (let views = 0; views < 120; views++) t.equal((await ask(`${home}alice`)).status, 200)
  t.equal((await ask(`${home}alice`)).status, 429)
  t.equal((await ask(home)).status, 429, 'any page')
  t.equal((await ask(home, { address: '192.0.2.2' })).status, 200)
  for (let actions = 0; actions < 20; actions++) {
    t.equal((await ask(`${home}alice`, { form: 'do=check' })).status, 200, 'apart from what was looked at')
  }
  const limited = await ask(`${home}alice`, { form: 'do=check' })
  t.equal(limited.status, 429)
  t.match(limited.headers.join(' '), 'Retry-After 60')
  t.match(limited.body, texts.en.start.tooMany)
  t.equal(forms(), 20, 'the form is not even read')
  clock.at += 60_000
  t.equal((await ask(home)).status, 200)
})

void t.test('all addresses together may act 600 times', async (t) => {
  const { ask } = pages()
  const tried = await Promise.all(
    Array.from({ length: 601 }, (_, index) =>
      ask(`${home}alice`, { form: 'do=check', address: `10.0.${index >> 8}.${index & 255}` }),
    ),
  )
  t.equal(tried.filter(({ status }) => status === 200).length, 600)
  t.equal(tried.at(-1)?.status, 429)
})

void t.test('texts that are read again count from then on', async (t) => {
  let current = texts
  const { ask } = pages({ texts: () => current })
  current = { ...texts, en: { ...texts.en, start: { ...texts.en.start, title: 'Other words' } } }
  t.match((await ask(home)).body, '<h1>Other words</h1>')
})

void t.test('a browser that wants no language of ours gets that of the config', async (t) => {
  const { ask } = pages({ language: 'fr' })
  t.match((await ask(home, { acceptLanguage: 'pt' })).body, '<html lang="fr">')
})

void t.test('a system without an address of its own gets that of all', async (t) => {
  const { ask } = pages({
    url: 'https://mdm.example.com/all',
    urls: { Android: 'https://mdm.example.com/android' },
  })
  t.match((await ask(`${home}alice`)).body, 'href="https://mdm.example.com/all"')
})

void t.test('a code is entered in any spelling, and its page is the one of the link', async (t) => {
  const entered: unknown[] = []
  const { ask } = pages({
    enterCode: async (...tried) => {
      entered.push(tried)
      return { kind: 'found', pairId: 'pair' }
    },
  })
  const answer = await ask(home, { form: 'code=7k3mx-9qw2p' })
  t.equal(answer.status, 303)
  t.match(answer.headers.join(' '), `Location ${home}token-pair`)
  t.strictSame(entered, [['7K3MX9QW2P', '192.0.2.1']])
})

void t.test('what a form says of the page before is not believed, nor shown', async (t) => {
  const { ask } = pages()
  const { status, body } = await ask(`${home}alice`, {
    form: 'do=check&was=%3Cb%3E+passcodeRequired+constructor',
  })
  t.equal(status, 200)
  t.match(body, texts.en.checked.changed)
  t.match(body, `<li>${texts.en.settings.passcodeRequired}</li>`, 'only what is a setting')
  t.notMatch(body, /<b>|constructor/)
})
