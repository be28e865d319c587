import t from 'tap'
import { pairId } from '#directory/pair-id.ts'
import type { SeenPair } from '#directory/seen-pairs.ts'
import { createEnrollmentLinks } from '#enrollment/links.ts'

const dayMs = 86_400_000
const start = Date.UTC(2026, 0, 1)
const alice = 'alice@example.com'
const publicUrl = 'https://mail.example.com/easgate/enroll/'

/** Only what a link leads to is looked at. */
const pairOf = (user: string, deviceKey: string) => ({ user, deviceKey }) as SeenPair

function links({ linkDays = 14, key = 1 } = {}) {
  const seen = new Map([[pairId(alice, 'appla'), pairOf(alice, 'appla')]])
  return createEnrollmentLinks({
    key: Buffer.alloc(32, key),
    publicUrl: () => publicUrl,
    linkDays,
    seenPair: (id) => seen.get(id),
  })
}

const tokenOf = (link: string): string => link.slice(publicUrl.length)
const days = Array.from({ length: 60 }, (_, day) => start + day * dayMs)

void t.test('a link leads to its pair, and holds neither user nor device', async (t) => {
  const { linkFor, read } = links()
  const link = linkFor(alice, 'appla', start)
  t.ok(link.startsWith(publicUrl))
  t.ok(tokenOf(link).length <= 60)
  t.notMatch(link, /alice|appla/i)
  t.strictSame(read(tokenOf(link), start), pairOf(alice, 'appla'))
})

void t.test('it stays the same for its days, and is good for as long as the phone shows it', async (t) => {
  const { linkFor, read } = links()
  const all = days.map((now) => tokenOf(linkFor(alice, 'appla', now)))
  const spans = new Map<string, number>()
  for (const token of all) spans.set(token, (spans.get(token) ?? 0) + 1)
  const lengths = [...spans.values()]
  t.strictSame(lengths.slice(1, -1), lengths.slice(1, -1).fill(14), 'but for what the sixty days cut off')
  for (const [index, token] of all.entries()) {
    const now = days[index] ?? 0
    t.ok(read(token, now))
    t.ok(read(token, now + dayMs - 1), 'and a day longer, for who reads it just before it changes')
  }
})

void t.test('then it is good no longer', async (t) => {
  for (const linkDays of [1, 14, 365]) {
    const { linkFor, read } = links({ linkDays })
    const token = tokenOf(linkFor(alice, 'appla', start))
    const ends = Array.from(
      { length: linkDays + 3 },
      (_, day) => read(token, start + day * dayMs) !== undefined,
    )
    const last = ends.lastIndexOf(true)
    t.ok(last >= 1 && last <= linkDays, `after ${last} of ${linkDays} days`)
    t.notOk(ends.slice(last + 1).includes(true))
  }
})

void t.test('not every phone gets a new message on the same day', async (t) => {
  const { linkFor } = links()
  const changing = days.map((now, index) => {
    const before = days[index - 1] ?? now
    return Array.from({ length: 50 }, (_, device) => `appl${device}`).filter(
      (device) => linkFor(alice, device, now) !== linkFor(alice, device, before),
    ).length
  })
  t.ok(Math.max(...changing) < 15)
  t.ok(changing.filter((count) => count > 0).length > 30)
})

void t.test('a pair that nobody saw has no page, whoever signed the link', async (t) => {
  const { linkFor, read } = links()
  t.equal(read(tokenOf(linkFor('bob@example.com', 'appla', start)), start), undefined)
  t.equal(read(tokenOf(links({ key: 2 }).linkFor(alice, 'appla', start)), start), undefined)
})

void t.test('the token for a pair that a code names is that of its link', async (t) => {
  const { linkFor, tokenFor } = links()
  t.equal(linkFor(alice, 'appla', start), publicUrl + tokenFor(pairId(alice, 'appla'), start))
})
