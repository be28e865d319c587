import t from 'tap'
import table from '#eas/wbxml/code-pages.json' with { type: 'json' }
import { codePageCount, tagName, tagOf } from '#eas/wbxml/code-pages.ts'

void t.test('knows pages 0 to 25, each token once, each name both ways', async (t) => {
  t.equal(codePageCount, 26)
  t.strictSame(
    table.pages.map(({ page }) => page),
    Array.from({ length: 26 }, (_, page) => page),
  )
  t.equal(new Set(table.pages.map(({ namespace }) => namespace)).size, 26)
  for (const { page, namespace, tags } of table.pages) {
    const tokens = Object.values(tags).map(Number)
    t.equal(new Set(tokens).size, tokens.length, `${namespace} uses no token twice`)
    t.ok(
      tokens.every((token) => token >= 0x05 && token <= 0x3f),
      `${namespace} stays in the range of tags`,
    )
    for (const [local, hex] of Object.entries(tags)) {
      const name = `${namespace}:${local}` as const
      t.equal(tagName(page, Number(hex)), name)
      t.strictSame(tagOf(name), { page, token: Number(hex) })
    }
  }
})

void t.test('has no name for a token that is not given, on known pages and others', async (t) => {
  t.equal(tagName(0, 0x3f), undefined)
  t.equal(tagName(0, 0), undefined)
  t.equal(tagName(25, 0x3f), undefined)
  t.equal(tagName(26, 0x05), undefined)
  t.equal(tagName(255, 0x3f), undefined)
})

void t.test('gives no token for names that other programs use', async (t) => {
  t.equal(tagOf('AirSync:Synchronize'), undefined)
  t.equal(tagOf('Ping:LifeTime'), undefined)
})
