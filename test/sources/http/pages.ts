import t from 'tap'
import type { JsonAnswer } from '#sources/http/http-client.ts'
import { nextOf, pages, type AnswerShape } from '#sources/http/pages.ts'
import rows from '../../fixtures/sources/link-headers.json' with { type: 'json' }

const first = 'https://mdm.example.com/api/devices?page=1'
const byPath: AnswerShape = { records: ['items'], nextPath: ['next'] }

/** Reads all pages of answers by URL. */
async function readPages(answers: Readonly<Record<string, unknown>>): Promise<unknown[]> {
  const get = async (url: string): Promise<JsonAnswer> => ({ json: answers[url], link: '' })
  let stamp = 0
  const read: unknown[] = []
  for await (const page of pages(first, byPath, get, () => stamp++)) read.push(page)
  return read
}

for (const { link, next } of rows) {
  void t.test(`Link: ${link}`, async (t) => {
    t.equal(nextOf({ json: [], link }, { nextPath: undefined }, first), next ?? undefined)
  })
}

void t.test('pages are read in order, an empty one too, each with its stamp', async (t) => {
  t.strictSame(
    await readPages({
      [first]: { items: [1], next: '?page=2' },
      'https://mdm.example.com/api/devices?page=2': { items: [], next: '/api/devices?page=3' },
      'https://mdm.example.com/api/devices?page=3': { items: [2, 3], next: null },
    }),
    [
      { items: [1], stamp: 0 },
      { items: [], stamp: 1 },
      { items: [2, 3], stamp: 2 },
    ],
  )
})

void t.test('links that lead in a circle end the reading', async (t) => {
  const second = 'https://mdm.example.com/api/devices?page=2'
  await t.rejects(readPages({ [first]: { items: [], next: second }, [second]: { items: [], next: first } }), {
    code: 'HTTP_BAD_ANSWER',
    message: /circle/,
  })
  await t.rejects(readPages({ [first]: { items: [], next: first } }), { message: /circle/ })
})

void t.test('a link away from the host is not followed: it would get our credentials', async (t) => {
  for (const next of [
    'https://elsewhere.example/devices',
    'http://mdm.example.com/api/devices?page=2',
    'https://mdm.example.com:8443/api/devices?page=2',
    '//elsewhere.example/devices',
    'https://mdm.example.com@elsewhere.example/',
    'http://',
    7,
    { href: '/api' },
  ]) {
    await t.rejects(
      readPages({ [first]: { items: [], next } }),
      { code: 'HTTP_BAD_ANSWER', message: /no URL on the host/ },
      JSON.stringify(next),
    )
  }
})

void t.test('an answer without its list is no empty list (T-56)', async (t) => {
  for (const json of [{}, { items: null }, { items: 'none' }, null, [], undefined]) {
    await t.rejects(readPages({ [first]: json }), { code: 'HTTP_BAD_ANSWER' }, JSON.stringify(json))
  }
})

void t.test('one record in the place of a list is a list of one', async (t) => {
  t.strictSame(await readPages({ [first]: { items: { id: 1 } } }), [{ items: [{ id: 1 }], stamp: 0 }])
})
