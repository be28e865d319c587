import t from 'tap'
import { escapeXml, parseXml } from '#proxy/autodiscover/xml.ts'

void t.test('gives the tree with the place of each element, whatever the line ends', (t) => {
  for (const end of ['\n', '\r\n']) {
    const text = `<?xml version="1.0"?>${end}<a:b x="1" y='>'>${end}one<!-- <c/> --><c/>${end}<d>t<![CDATA[<e>]]></d></a:b>${end}`
    const root = parseXml(text)
    t.match(root, { name: 'a:b', localName: 'b' })
    t.strictSame(
      [...(root?.attributes ?? [])],
      [
        ['x', '1'],
        ['y', '>'],
      ],
    )
    const [empty, full] = root?.children ?? []
    t.equal(text.slice(empty?.start, empty?.end), '<c/>')
    t.equal(text.slice(full?.start, full?.end), '<d>t<![CDATA[<e>]]></d>')
    t.equal(full?.text, 't<e>')
    t.equal(root?.children.length, 2)
  }
  t.end()
})

void t.test('leaves entities as they are written, T-27', (t) => {
  t.equal(parseXml('<a>&lt;&#65;&x;</a>')?.text, '&lt;&#65;&x;')
  t.end()
})

void t.test('refuses what is not one well-formed element', (t) => {
  const texts = [
    '',
    ' ',
    'x',
    '<a>',
    '</a>',
    '<a></b>',
    '<a><b></a></b>',
    '<a/><b/>',
    '<a/>x',
    'x<a/>',
    '<a b="1" b="2"/>',
  ]
  for (const text of texts) t.equal(parseXml(text), undefined, text)
  t.end()
})

void t.test('refuses declarations, depth, width and names of prototypes, T-11, T-27, T-47', (t) => {
  t.equal(parseXml('<!DOCTYPE a><a/>'), undefined)
  t.equal(parseXml('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'), undefined)
  t.equal(parseXml('<a><!ELEMENT b></a>'), undefined)
  t.equal(parseXml('<__proto__/>'), undefined)
  t.ok(parseXml('<a>'.repeat(30) + '</a>'.repeat(30)))
  t.equal(parseXml('<a>'.repeat(50) + '</a>'.repeat(50)), undefined)
  t.ok(parseXml(`<a>${'<b/>'.repeat(3000)}</a>`))
  t.equal(parseXml(`<a>${'<b/>'.repeat(5000)}</a>`), undefined)
  t.end()
})

void t.test('holds the thread for less than 100 ms, whatever 256 KiB say, T-52', (t) => {
  const units = [
    '<a>',
    '<a b="c" ',
    '<',
    '<![CDATA[',
    '<!--',
    '<?a ',
    '</a>',
    ' ',
    '="',
    '&amp;',
    '<a/>',
    "<a b='",
    ']]>',
  ]
  for (const unit of units) {
    for (const start of ['', '<a>', '<a ', '<a b="', '<!--', '<?xml ']) {
      const text = start + unit.repeat(262_144 / unit.length)
      const startedMs = performance.now()
      parseXml(text)
      const ms = performance.now() - startedMs
      if (ms > 100) t.fail(`${JSON.stringify(start + unit)} took ${Math.round(ms)} ms`)
    }
  }
  t.end()
})

void t.test('escapes text', (t) => {
  t.equal(escapeXml('<a href="x">&</a>'), '&lt;a href=&quot;x&quot;&gt;&amp;&lt;/a&gt;')
  t.end()
})
