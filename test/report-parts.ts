import t from 'tap'
import type { Report } from '../src/messages.ts'
import { partsOf } from '../src/report-parts.ts'
import { sighting } from './support/directory-store.ts'
import { traceReport } from './support/traces.ts'

function report(pairs: number, traces: number): Report {
  return {
    sightings: Array.from({ length: pairs }, (_, number) => sighting({ deviceKey: `phone${number}` })),
    counts: [{ hour: 0, action: 'allow', reason: 'compliant', platform: 'iOS', requests: 7 }],
    traces: Array.from({ length: traces }, (_, number) => traceReport({ requestId: `r-${number}` })),
  }
}

void t.test('a report is sent in small messages, explanations behind their pairs', async (t) => {
  for (const [pairs, traces, lengths] of [
    [0, 0, [[0, 0]]],
    [1, 0, [[1, 0]]],
    [0, 1, [[0, 1]]],
    [
      250,
      50,
      [
        [250, 0],
        [0, 50],
      ],
    ],
    [
      501,
      51,
      [
        [250, 0],
        [250, 0],
        [1, 0],
        [0, 50],
        [0, 1],
      ],
    ],
  ] as const) {
    const whole = report(pairs, traces)
    const parts = partsOf(whole)
    t.strictSame(
      parts.map((part) => [part.sightings.length, part.traces.length]),
      lengths,
    )
    for (const key of ['sightings', 'counts', 'traces'] as const) {
      t.strictSame(
        parts.flatMap<unknown>((part) => part[key]),
        whole[key],
        'all of it, once and in order',
      )
    }
  }
})
