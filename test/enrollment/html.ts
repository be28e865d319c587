import t from 'tap'
import { html } from '#enrollment/html.ts'

void t.test('escapes what is put in, in content and in quoted attributes', (t) => {
  const nasty = `<script>alert("x")</script> & 'y'`
  const escaped = '&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;y&#39;'
  t.equal(html`<p title="${nasty}">${nasty}</p>`.markup, `<p title="${escaped}">${escaped}</p>`)
  t.end()
})

void t.test('takes markup of its own as it is, one piece or a list', (t) => {
  const names = ['a', '<b>'].map((name) => html`<i>${name}</i>`)
  t.equal(html`<p>${names}</p>`.markup, '<p><i>a</i><i>&lt;b&gt;</i></p>')
  t.equal(html`<i>${html`<b>x</b>`}</i>`.markup, '<i><b>x</b></i>')
  t.equal(html`${1}${''}${[]}`.markup, '1')
  t.end()
})
