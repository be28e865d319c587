import t from 'tap'
import { createRateLimit } from '#enrollment/rate-limit.ts'

function limited({ perMinute = 5, totalPerMinute = 1000 } = {}) {
  const clock = { at: 0, now: () => clock.at }
  const { take } = createRateLimit({ perMinute, totalPerMinute, clock })
  /** How many of the tries were let through. */
  const through = (address: string, tries = 20) =>
    Array.from({ length: tries }, () => take(address)).filter(Boolean).length
  return { clock, take, through }
}

void t.test('an address has its share at once, and gets it back over a minute', async (t) => {
  const { clock, through } = limited()
  t.equal(through('192.0.2.1'), 5)
  t.equal(through('192.0.2.2'), 5, 'another has its own')
  clock.at += 12_000
  t.equal(through('192.0.2.1'), 1)
  clock.at += 60_000
  t.equal(through('192.0.2.1'), 5)
  clock.at += 3_600_000
  t.equal(through('192.0.2.1'), 5, 'and saves nothing up')
})

void t.test('a /64 of IPv6 is one address, in every spelling', async (t) => {
  const { through } = limited()
  t.equal(through('2001:db8:0:1::1'), 5)
  t.equal(through('2001:DB8::1:ffff:0:0:2'), 0)
  t.equal(through('2001:0db8:0000:0001:0:0:0:3'), 0)
  t.equal(through('2001:db8:0:2::1'), 5)
  t.equal(through('::1'), 5)
  t.equal(through('0:0:0:0:0:0:0:2'), 0)
})

void t.test('all together have a share too; what it refuses counts for nobody', async (t) => {
  const { clock, take, through } = limited({ perMinute: 2, totalPerMinute: 4 })
  t.equal(through('192.0.2.1'), 2)
  t.equal(through('192.0.2.2'), 2)
  t.equal(take('192.0.2.3'), false)
  clock.at += 30_000
  t.equal(through('192.0.2.3'), 2)
})

void t.test('it remembers so many addresses and no more (T-51)', async (t) => {
  const { through } = limited({ perMinute: 1, totalPerMinute: 1_000_000 })
  t.equal(through('192.0.2.1'), 1)
  for (let index = 0; index < 10_000; index++)
    through(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`, 1)
  t.equal(through('192.0.2.1'), 1, 'the one that came first is forgotten')
})
