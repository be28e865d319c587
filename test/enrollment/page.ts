import { createHash } from 'node:crypto'
import t from 'tap'
import { createEnrollment } from '#enrollment/page.ts'

const path = '/easgate/enroll'

function headersOf(list: readonly string[]): Map<string, string> {
  const pairs = list.flatMap((name, index) => (index % 2 === 0 ? [[name, list[index + 1]] as const] : []))
  return new Map(pairs.map(([name, value]) => [name.toLowerCase(), value ?? '']))
}

void t.test('serves one page, with and without a slash, to GET and HEAD', (t) => {
  const pages = createEnrollment({})
  const page = pages('GET', path)
  t.equal(page.status, 200)
  t.equal(headersOf(page.headers).get('content-type'), 'text/html; charset=utf-8')
  t.match(page.body, /^<!DOCTYPE html>\s*<html lang="en">/)
  t.match(page.body, 'name="viewport"')
  t.match(page.body, 'gives mail only to phones that your organisation manages')
  t.same(pages('HEAD', `${path}/`), page)
  t.end()
})

void t.test('allows nothing but its own style, whose digest stands in the policy', (t) => {
  const { headers, body } = createEnrollment({})('GET', path)
  const policy = headersOf(headers).get('content-security-policy') ?? ''
  const style = /<style>([^]*)<\/style>/.exec(body)?.[1] ?? ''
  const digest = createHash('sha256').update(style).digest('base64')
  t.match(style, /prefers-color-scheme: dark/)
  t.ok(policy.startsWith("default-src 'none'; "))
  t.ok(policy.includes(`style-src 'sha256-${digest}'`))
  t.ok(policy.includes("frame-ancestors 'none'"))
  t.notMatch(body, /<script|<img|<link|style=|\son[a-z]+=/i)
  t.end()
})

void t.test('links to the enrolment of the MDM where there is one, escaped', (t) => {
  t.notMatch(createEnrollment({})('GET', path).body, 'href')
  const { body } = createEnrollment({ url: 'https://mdm.example.com/?a=1&b="><script>' })('GET', path)
  t.match(body, 'href="https://mdm.example.com/?a=1&amp;b=&quot;&gt;&lt;script&gt;"')
  t.end()
})

void t.test('closes other methods and other paths', (t) => {
  const pages = createEnrollment({})
  const refused = pages('POST', path)
  t.equal(refused.status, 405)
  t.equal(headersOf(refused.headers).get('allow'), 'GET, HEAD')
  for (const other of [`${path}/x`, `${path}//`, `${path}/..`])
    t.equal(pages('GET', other).status, 404, other)
  t.end()
})
