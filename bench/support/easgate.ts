import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { z } from 'zod'
import type { configSchema } from '#config/schema.ts'
import type { BenchContext } from './bench.ts'
import { childrenOf } from './cpu.ts'
import type { Audit } from './measure.ts'
import { startServer, type ServerProcess } from './server-process.ts'

/** The person of whom, and the device of which, every request is. */
export interface BenchDevice {
  readonly user: string
  readonly deviceId: string
  readonly complianceState: 'compliant' | 'noncompliant'
}

/** The whole product, as `easgate serve` runs it with one worker. */
export interface Easgate {
  readonly proxyPort: number
  readonly ownerPid: number
  readonly workerPid: number
  /** Its access log. */
  readonly logFile: string
  /** The text of /metrics. */
  readonly metrics: () => Promise<string>
}

const logTimeoutMs = 5000
const logPollMs = 100

interface Ports {
  readonly proxyPort: number
  readonly adminPort: number
}

/** Starts it with an empty store, before one upstream, with one device in its facts. `name` is its folder's. */
export async function startEasgate(
  name: string,
  upstreamPort: number,
  device: BenchDevice,
  context: Pick<BenchContext, 'directory' | 'started'>,
): Promise<Easgate> {
  const directory = join(context.directory, name)
  await mkdir(directory)
  const server = await startServer(
    {
      args: ['src/main.ts', 'serve', '--config', writeConfig(directory, upstreamPort, device)],
      outputFile: join(directory, 'out.log'),
      ready: portsIn,
    },
    context.started,
  )
  return {
    proxyPort: server.ready.proxyPort,
    ownerPid: server.pid,
    workerPid: onlyWorker(server),
    logFile: server.outputFile,
    metrics: async () => {
      const response = await fetch(`http://127.0.0.1:${server.ready.adminPort}/metrics`)
      if (!response.ok) throw new Error(`/metrics answered ${response.status}`)
      return response.text()
    },
  }
}

/** All that is not named stands at the product's defaults: limits, checks, log level. */
function writeConfig(directory: string, upstreamPort: number, device: BenchDevice): string {
  const factsFile = join(directory, 'facts.csv')
  const policyFile = join(directory, 'policy.yaml')
  const configFile = join(directory, 'easgate.yaml')
  const { user, deviceId, complianceState } = device
  writeFileSync(
    factsFile,
    'user,deviceId,enrolled,registered,activated,complianceState,platform,osVersion,model\n' +
      `${user},${deviceId},true,true,true,${complianceState},iOS,16.1,iPhone14C2\n`,
  )
  writeFileSync(policyFile, 'conditionalAccess: { onPremises: { mode: enforce, noncompliant: block } }\n')
  const config: z.input<typeof configSchema> = {
    listen: { address: '127.0.0.1:0' },
    admin: { address: '127.0.0.1:0' },
    workers: 1,
    store: { path: join(directory, 'easgate.db') },
    backends: {
      exchange: { kind: 'exchange-on-premises', servers: [`http://127.0.0.1:${upstreamPort}`] },
    },
    routing: { default: 'exchange' },
    sources: [{ kind: 'file', path: factsFile }],
    policy: { file: policyFile },
  }
  // JSON is YAML
  writeFileSync(configFile, JSON.stringify(config))
  return configFile
}

function portsIn(output: string): Ports | undefined {
  const line = output
    .split('\n')
    .find((text) => text.includes('"msg":"easgate serves"') && text.endsWith('}'))
  return line === undefined ? undefined : (JSON.parse(line) as Ports)
}

function onlyWorker({ pid }: ServerProcess<Ports>): number {
  const [worker, ...others] = childrenOf(pid)
  if (worker === undefined || others.length > 0)
    throw new Error(`expected one child of easgate's owner ${pid}`)
  return worker
}

/** What `easgate_requests_total` should rise by, and by nothing else. */
export interface ExpectedWork {
  readonly action: string
  readonly reason: string
  readonly deviceState: string
}

/**
 * Checks that no step was skipped: each request has its line in the access log and is counted with its action and
 * reason, and the device stands in the inventory. Empties the log before each run.
 */
export function auditOf(easgate: Easgate, expected: ExpectedWork): () => Promise<Audit> {
  const labels = [`command="Sync"`, `action="${expected.action}"`, `reason="${expected.reason}"`]
  const right = (line: string) => labels.every((label) => line.includes(label))
  const stateLabel = `state="${expected.deviceState}"`
  return async () => {
    truncateSync(easgate.logFile)
    const before = await easgate.metrics()
    return {
      finished: async (sent) => {
        const logged = await linesLogged(easgate.logFile, sent)
        expect(logged === sent, `${sent} requests sent, ${logged} in the access log`)
      },
      check: async (sent) => {
        const after = await easgate.metrics()
        const rise = (wanted: (line: string) => boolean) =>
          sum(after, 'easgate_requests_total', wanted) - sum(before, 'easgate_requests_total', wanted)
        const counted = rise(right)
        const others = rise((line) => !right(line))
        expect(
          counted === sent && others === 0,
          `${sent} requests sent, ${counted} counted as ${expected.reason}, ${others} as others`,
        )
        const seen = sum(after, 'easgate_devices', (line) => line.includes(stateLabel))
        expect(seen === 1, `expected the device in the inventory as ${expected.deviceState}, found ${seen}`)
      },
    }
  }
}

/** Counts the access log's lines. They are written in the background, so it looks again while some are missing. */
async function linesLogged(file: string, wanted: number): Promise<number> {
  const giveUpAt = performance.now() + logTimeoutMs
  for (;;) {
    const lines = readFileSync(file, 'latin1').split('"msg":"request"').length - 1
    if (lines >= wanted || performance.now() > giveUpAt) return lines
    await delay(logPollMs)
  }
}

function expect(condition: boolean, fault: string): void {
  if (!condition) throw new Error(`easgate did not do its whole work: ${fault}`)
}

/** The sum of a metric's samples whose line is wanted. */
function sum(metrics: string, name: string, wanted: (line: string) => boolean): number {
  return metrics
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) && wanted(line))
    .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' '))), 0)
}
