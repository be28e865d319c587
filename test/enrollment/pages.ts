import t from 'tap'
import { languages } from '#config/languages.ts'
import type { HeldDevice } from '#enrollment/held-device.ts'
import { devicePage, releasedPage, startPage, type DeviceExtras } from '#enrollment/pages.ts'
import { loadPageTexts } from '#enrollment/texts.ts'

const all = loadPageTexts()
const held: HeldDevice = {
  reason: 'not-enrolled',
  model: 'Pixel 8',
  platform: 'Android',
  osVersion: '14',
  wanting: [],
}
const extras: DeviceExtras = {
  why: 'It is not managed.',
  url: 'https://mdm.example.com/',
  publicUrl: 'https://mail.example.com/easgate/enroll/',
}
const evil = '"><script>alert(1)</script>'

void t.test('texts of clients, directories and files stay text', async (t) => {
  const hostile = { ...held, model: evil, osVersion: evil }
  const { markup } = devicePage(all.en, hostile, {
    ...extras,
    why: evil,
    url: `https://x/${evil}`,
    publicUrl: evil,
  }).content
  t.notMatch(markup, '<script')
  t.equal(markup.split('&lt;script&gt;').length - 1, 4)
})

void t.test('nothing is run, loaded or styled from within', async (t) => {
  for (const language of languages) {
    const texts = all[language]
    const pages = [
      startPage(texts, { url: extras.url, notice: 'badCode' }),
      devicePage(texts, held, { ...extras, checked: { kind: 'changed', corrected: ['passcodeRequired'] } }),
      devicePage(texts, held, { ...extras, asked: { code: 'ABCDEFGHJK' } }),
      releasedPage(texts),
    ]
    for (const { content } of pages) {
      t.notMatch(content.markup, /<script|<img|<link|<iframe|\sstyle=|\son[a-z]+=|src=/i, language)
    }
  }
})

void t.test('the way to enrolment stands where it helps, and only where there is one', async (t) => {
  const pageOf = (fields: Partial<HeldDevice>, url = extras.url) =>
    devicePage(all.en, { ...held, ...fields }, { ...extras, url }).content.markup
  t.match(
    pageOf({}),
    /<a class="button primary" href="https:\/\/mdm\.example\.com\/"[^>]*>Set up this device</,
  )
  t.match(pageOf({ reason: 'noncompliant' }), '>Open device management<')
  for (const reason of ['personal-block', 'quota-exceeded', 'source-unavailable', 'wipe-pending'] as const) {
    t.notMatch(pageOf({ reason }), '<a ', reason)
  }
  const without = devicePage(all.en, held, { ...extras, url: undefined }).content.markup
  t.notMatch(without, '<a ')
  t.notMatch(startPage(all.en, {}).content.markup, '<a ')
})

void t.test('what is not known of a device is said to be not known', async (t) => {
  const unknown = { ...held, model: undefined, platform: 'unknown', osVersion: undefined } as const
  t.equal(devicePage(all.en, unknown, extras).content.markup.split('<dd>not known</dd>').length - 1, 2)
})

void t.test('a code that cannot be made is said, with another try', async (t) => {
  const { markup } = devicePage(all.en, held, { ...extras, asked: { code: undefined } }).content
  t.match(markup, 'No code can be made just now.')
  t.match(markup, '<button name="do" value="code">')
})
