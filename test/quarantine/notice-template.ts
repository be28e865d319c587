import t from 'tap'
import { fieldsFault, fillHtml, fillText, htmlFault } from '#quarantine/notice-template.ts'

void t.test('puts values in the place of fields, and only there', async (t) => {
  const values = { link: 'https://x.example/?a={why}&b=$&', why: 'W' }
  t.equal(
    fillText('{link} {why}{ why } {other} {} { a: 1 }', values),
    `${values.link} WW {other} {} { a: 1 }`,
  )
  t.equal(fillText('{constructor}{__proto__}', values), '{constructor}{__proto__}')
})

void t.test('escapes values for HTML, and leaves the markup as it is', async (t) => {
  const values = { link: 'https://x.example/"onclick="', why: "<b>&'{link}" }
  t.equal(
    fillHtml('<a href="{link}">{why}</a>', values),
    '<a href="https://x.example/&quot;onclick=&quot;">&lt;b&gt;&amp;&#39;{link}</a>',
  )
})

void t.test('knows which fields there are', async (t) => {
  const known = ['link', 'why']
  t.equal(fieldsFault('{link} {why} { link } {1} {}', known), undefined)
  t.equal(fieldsFault('{link} {Why}', known), 'no field {Why}: expected {link}, {why}')
  t.equal(fieldsFault('{ reason-code }', known), 'no field { reason-code }: expected {link}, {why}')
  t.equal(fieldsFault('{constructor}', known), 'no field {constructor}: expected {link}, {why}')
})

void t.test('finds places where a value would be more than text', async (t) => {
  const good = ['<p class="a {x}">{why}</p>', '{why} > {why}', "<a href='{link}'>x</a>", 'plain', '<br/>']
  for (const template of good) t.equal(htmlFault(template), undefined, template)
  const quotes = 'expected fields inside of a tag to stand in quotes'
  const bad = ['<a href={link}>', '<a {why}>', '<{why}>', '<a href="{link}', '<a title=\'{link}">', '< {why}']
  for (const template of bad) t.equal(htmlFault(template), quotes, template)
  for (const template of ['<script>{why}</script>', '<STYLE>', '< script >']) {
    t.match(htmlFault(template), 'expected no script', template)
  }
})
