import type { Bench, Section } from './support/bench.ts'
import { auditOf, startEasgate, type BenchDevice } from './support/easgate.ts'
import { measureInRounds, type Run, type Subject } from './support/measure.ts'
import { startPeer } from './support/server-process.ts'
import { median } from './support/statistics.ts'
import { syncAnswer, syncRequest } from './support/sync-request.ts'

/** A Sync with Status 129, DeviceIsBlockedForThisUser: what a refused device gets from 14.0 on. */
const blockedAnswer = Buffer.from('03016a00454e03313239000101', 'hex')

const allowedDevice: BenchDevice = {
  user: 'alice@example.com',
  deviceId: 'ApplBENCHALICE1',
  complianceState: 'compliant',
}
const blockedDevice: BenchDevice = {
  user: 'bob@example.com',
  deviceId: 'ApplBENCHBOB1',
  complianceState: 'noncompliant',
}

const allowed = 'easgate, allowed'
const blocked = 'easgate, blocked'
const baseline = 'http-proxy'
const direct = 'upstream, no proxy'
const floor = 'node:http, no upstream'

/** What does one small Sync cost, next to a proxy that decides nothing and to Node's own least? */
export const hotPath: Bench = async (context) => {
  const upstream = await startPeer('bench/upstream.ts', [], context)
  const proxy = await startPeer('bench/peers/http-proxy.ts', [String(upstream.ready)], context)
  const bare = await startPeer('bench/peers/floor.ts', [], context)
  const allowing = await startEasgate('allow', upstream.ready, allowedDevice, context)
  const blocking = await startEasgate('block', upstream.ready, blockedDevice, context)

  const request = syncRequest(allowedDevice.user, allowedDevice.deviceId)
  const subjects: Subject[] = [
    {
      name: allowed,
      port: allowing.proxyPort,
      pid: allowing.workerPid,
      beside: { owner: allowing.ownerPid, upstream: upstream.pid },
      request,
      answer: syncAnswer,
      audit: auditOf(allowing, { action: 'allow', reason: 'compliant', deviceState: 'allow' }),
    },
    {
      name: blocked,
      port: blocking.proxyPort,
      pid: blocking.workerPid,
      beside: { owner: blocking.ownerPid, upstream: upstream.pid },
      request: syncRequest(blockedDevice.user, blockedDevice.deviceId),
      answer: blockedAnswer,
      audit: auditOf(blocking, { action: 'block', reason: 'noncompliant', deviceState: 'block' }),
    },
    {
      name: baseline,
      port: proxy.ready,
      pid: proxy.pid,
      beside: { upstream: upstream.pid },
      request,
      answer: syncAnswer,
    },
    { name: direct, port: upstream.ready, pid: upstream.pid, beside: {}, request, answer: syncAnswer },
    { name: floor, port: bare.ready, pid: bare.pid, beside: {}, request, answer: syncAnswer },
  ]
  return sectionOf(await measureInRounds(context, subjects))
}

function sectionOf(runs: ReadonlyMap<string, readonly Run[]>): Section {
  const cpus = (name: string) => (runs.get(name) ?? []).map((run) => run.cpu)
  const ratios = (name: string, base: string) => {
    const ofBase = cpus(base)
    return cpus(name).map((cpu, round) => cpu / (ofBase[round] ?? Number.NaN))
  }
  return {
    title: 'Hot path',
    text:
      'A Sync POST of an iPhone (Basic, policy key, 111 bytes of body; 70 bytes of answer) over 64 kept connections on ' +
      'loopback, every server a process of its own. easgate is the whole product with its default limits and checks: ' +
      'parse, identify, look up, decide, metrics, access log to a file, sighting; the CPU is of its worker. Blocked ' +
      'is a noncompliant device whose credentials were proved once. http-proxy forwards and does nothing else. ' +
      'Absolute figures change with what else the machine does; ratios compare runs of one round, next to each other.',
    columns: [
      'Server',
      'CPU us a request',
      'least to most',
      'others, CPU us a request',
      'requests',
      'requests/s',
      'p50 ms',
      'p99 ms',
    ],
    rows: [...runs].map(([name, ofName]) => row(name, ofName)),
    ratios: [
      { name: 'allowed / http-proxy', ofRounds: ratios(allowed, baseline), aim: 0.75 },
      { name: 'allowed / node:http, no upstream', ofRounds: ratios(allowed, floor) },
      { name: 'blocked / node:http, no upstream', ofRounds: ratios(blocked, floor) },
    ],
  }
}

function row(name: string, runs: readonly Run[]): readonly string[] {
  const cpus = runs.map(({ cpu }) => cpu)
  const middle = (figure: (run: Run) => number) => median(runs.map(figure))
  const others = Object.keys(runs[0]?.besideCpu ?? {}).map(
    (other) => `${other} ${middle(({ besideCpu }) => besideCpu[other] ?? 0).toFixed(1)}`,
  )
  return [
    name,
    median(cpus).toFixed(1),
    `${Math.min(...cpus).toFixed(1)} to ${Math.max(...cpus).toFixed(1)}`,
    others.join(', '),
    String(runs.reduce((total, { report }) => total + report.answered, 0)),
    middle(({ report }) => report.answered / report.seconds).toFixed(0),
    middle(({ report }) => report.p50Ms).toFixed(0),
    middle(({ report }) => report.p99Ms).toFixed(0),
  ]
}
