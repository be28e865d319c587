import t from 'tap'
import type { HourlyCount } from '#directory/audit.ts'
import { testStore } from '../support/directory-store.ts'

const hour = 3_600_000

void t.test('audit events are read newest first, page by page, of all or of one user', async (t) => {
  const { store } = testStore(t)
  for (let at = 1; at <= 5; at++) {
    store.audit({
      at,
      actor: 'admin',
      event: 'device-removed',
      user: at % 2 === 0 ? 'al' : 'bo',
      deviceId: 'x',
    })
  }
  store.audit({ at: 6, actor: 'easgate', event: 'facts-imported', detail: { records: 3, complete: true } })
  const first = store.auditEvents({ limit: 4 })
  t.same(
    first.events.map(({ at }) => at),
    [6, 5, 4, 3],
  )
  t.same(first.events[0], {
    at: 6,
    actor: 'easgate',
    event: 'facts-imported',
    detail: { records: 3, complete: true },
  })
  t.same(
    store.auditEvents({ limit: 4, cursor: first.next ?? 0 }).events.map(({ at }) => at),
    [2, 1],
  )
  t.same(store.auditEvents({ user: 'al' }), {
    events: [4, 2].map((at) => ({ at, actor: 'admin', event: 'device-removed', user: 'al', deviceId: 'x' })),
  })
})

const count = (at: number, requests: number): HourlyCount => ({
  hour: at,
  action: 'block',
  reason: 'not-enrolled',
  platform: 'iOS',
  requests,
})

void t.test('counts add up by the hour', async (t) => {
  const { store } = testStore(t)
  store.count([count(hour + 1, 2), count(hour + 5, 3)])
  store.count([count(2 * hour - 1, 1), count(2 * hour, 9), { ...count(2 * hour, 4), platform: 'Android' }])
  t.same(store.hourlyCounts(hour + 100), [
    count(hour, 6),
    { ...count(2 * hour, 4), platform: 'Android' },
    count(2 * hour, 9),
  ])
  t.equal(store.hourlyCounts(2 * hour).length, 2)
})
