import t from 'tap'
import { renderNotice } from '#quarantine/notice.ts'
import type { NoticeTexts } from '#quarantine/notice-texts.ts'

const texts: NoticeTexts = {
  senderName: 'Mail {user}',
  subject: '{device}: {why}',
  text: '{link}\n\n{why} {todo} {device} {user}\n',
  html: '<a href="{link}" title="{device}">{user}</a> {why} {todo}',
  otherReasons: { why: 'Other.', todo: 'Ask.' },
  reasons: { noncompliant: { why: 'Update <{device}>.', todo: 'Now, {user}.' } },
}
const facts = { link: 'https://x.example/e?a=1&b=2', device: 'iPhone "15"', user: 'u@x.example' }

void t.test('fills all four parts, each as it needs', async (t) => {
  t.strictSame(renderNotice(texts, 'noncompliant', facts), {
    senderName: 'Mail u@x.example',
    subject: 'iPhone "15": Update <iPhone "15">.',
    text: `${facts.link}\n\nUpdate <iPhone "15">. Now, u@x.example. iPhone "15" u@x.example\n`,
    html:
      '<a href="https://x.example/e?a=1&amp;b=2" title="iPhone &quot;15&quot;">u@x.example</a> ' +
      'Update &lt;iPhone &quot;15&quot;&gt;. Now, u@x.example.',
  })
})

void t.test('a reason without words has those of all others', async (t) => {
  t.match(renderNotice(texts, 'wipe-pending', facts), {
    subject: 'iPhone "15": Other.',
    text: /Other\. Ask\./,
  })
})

void t.test('what a client says of itself is one short line of text', async (t) => {
  const device = `a\r\nBcc: x\0\u2028</a><script>${'💥'.repeat(60)}\ud800`
  const notice = renderNotice(texts, 'noncompliant', { ...facts, device })
  t.notMatch(notice.subject, /[\p{Cc}\p{Zl}\p{Zp}]/u)
  t.notMatch(notice.html, '<script')
  t.ok(notice.subject.isWellFormed() && notice.text.isWellFormed())
  t.ok(Array.from(notice.subject).length < 120)
})

void t.test('a fact that looks like a field stays as it is', async (t) => {
  const notice = renderNotice(texts, 'noncompliant', { ...facts, device: '{link}', user: '{todo}' })
  t.equal(notice.senderName, 'Mail {todo}')
  t.equal(notice.subject, '{link}: Update <{link}>.')
})
