import { Writable } from 'node:stream'
import pino from 'pino'
import type { Test } from 'tap'
import { configSchema, type BackendConfig } from '#config/schema.ts'
import type { Backend, Upstreams } from '#proxy/upstreams.ts'
import { createUpstreams } from '#proxy/upstreams.ts'
import type { Logger } from '#telemetry/log.ts'
import { createMetrics, type Metrics } from '#telemetry/metrics.ts'

/** A log whose lines a test can read. */
export interface RecordingLog {
  readonly log: Logger
  readonly lines: readonly Readonly<Record<string, unknown>>[]
}

export function recordingLog(): RecordingLog {
  const lines: Readonly<Record<string, unknown>>[] = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()) as Readonly<Record<string, unknown>>)
      done()
    },
  })
  return { log: pino({ base: null }, stream), lines }
}

/** The upstreams of one backend named `main`. */
export interface TestUpstreams extends RecordingLog {
  readonly upstreams: Upstreams
  readonly backend: Backend
  readonly metrics: Metrics
}

/** Opens pools to these servers, as the config would; they are closed with the test. */
export function testUpstreams(
  t: Test,
  servers: readonly string[],
  settings: Partial<BackendConfig> = {},
): TestUpstreams {
  const { backends } = configSchema.parse({
    backends: { main: { kind: 'exchange-on-premises', servers, ...settings } },
    routing: { default: 'main' },
  })
  const metrics = createMetrics()
  const { log, lines } = recordingLog()
  const upstreams = createUpstreams({ backends, connectSeconds: 5, metrics, log })
  t.teardown(() => upstreams.close())
  const backend = upstreams.backends.get('main')
  if (backend === undefined) throw new Error('no backend')
  return { upstreams, backend, metrics, log, lines }
}
