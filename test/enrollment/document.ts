import { createHash } from 'node:crypto'
import t from 'tap'
import { pageAnswer } from '#enrollment/document.ts'
import { html } from '#enrollment/html.ts'

const { status, headers, body } = pageAnswer(
  200,
  'ja',
  { title: 'a <title>', content: html`<h1>Content</h1>` },
  ['Retry-After', '60'],
)
const header = new Map(
  headers.flatMap((name, index) => (index % 2 === 0 ? [[name, headers[index + 1] ?? '']] : [])),
)

void t.test('a page says its language and its title', async (t) => {
  t.equal(status, 200)
  t.match(body, /^<!DOCTYPE html>\s*<html lang="ja">/)
  t.match(body, '<title>a &lt;title&gt;</title>')
  t.match(body, /<main>\s*<h1>Content<\/h1>\s*<\/main>/)
  t.match(body, 'name="viewport" content="width=device-width, initial-scale=1"')
  t.equal(header.get('Content-Language'), 'ja')
  t.equal(header.get('Retry-After'), '60')
})

void t.test('it allows nothing but its own style, by its digest, and forms to us', async (t) => {
  const style = /<style>([^]*)<\/style>/.exec(body)?.[1] ?? ''
  const digest = createHash('sha256').update(style).digest('base64')
  t.equal(
    header.get('Content-Security-Policy'),
    `default-src 'none'; style-src 'sha256-${digest}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`,
  )
  t.match(style, /prefers-color-scheme: dark/)
  t.notMatch(style, /url\(|@import/)
})

void t.test('it is not kept, not framed, not searched, and its address is not passed on', async (t) => {
  t.equal(header.get('Cache-Control'), 'no-store')
  t.equal(header.get('X-Frame-Options'), 'DENY')
  t.equal(header.get('X-Content-Type-Options'), 'nosniff')
  t.equal(header.get('Referrer-Policy'), 'no-referrer')
  t.match(body, '<meta name="robots" content="noindex" />')
})
