import t from 'tap'
import type { Report } from '../src/messages.ts'
import { partsOf } from '../src/report-parts.ts'
import { sighting } from './support/directory-store.ts'
import { traceReport } from './support/traces.ts'

function report(pairs: number): Report {
  return {
    sightings: Array.from({ length: pairs }, (_, number) => sighting({ deviceKey: `phone${number}` })),
    counts: [{ hour: 0, action: 'allow', reason: 'compliant', platform: 'iOS', requests: pairs }],
    traces: [traceReport()],
  }
}

void t.test('a report is sent in messages of a thousand pairs, the explanations behind them', async (t) => {
  for (const [pairs, lengths] of [
    [0, [0]],
    [1, [1]],
    [1000, [1000]],
    [1001, [1000, 1]],
    [2500, [1000, 1000, 500]],
  ] as const) {
    const whole = report(pairs)
    const parts = partsOf(whole)
    t.strictSame(
      parts.map(({ sightings }) => sightings.length),
      lengths,
    )
    t.strictSame(
      parts.flatMap(({ sightings }) => sightings),
      whole.sightings,
    )
    for (const { counts, traces } of parts.slice(0, -1)) t.strictSame([counts, traces], [[], []])
    t.strictSame([parts.at(-1)?.counts, parts.at(-1)?.traces], [whole.counts, whole.traces])
  }
})
