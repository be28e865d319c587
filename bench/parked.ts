import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { element } from '#eas/wbxml/element.ts'
import { encodeWbxml } from '#eas/wbxml/encode.ts'
import type { Bench, BenchContext, Section } from './support/bench.ts'
import { childrenOf } from './support/cpu.ts'
import type { PingAnswers, PingOrder } from './support/ping-client.ts'
import { startPeer, startServer } from './support/server-process.ts'
import { quantile } from './support/statistics.ts'
import type { Turns } from './support/turns.ts'

const workers = 2
/** A user has at most 100 pairs in the inventory. */
const users = 90
const devicesOfUser = 100
const pings = users * devicesOfUser

/** In the first, turns are watched; in the others time is taken. */
const maxRounds = 4

/** What no synchronous section may take, ms of CPU. */
const aimTurnMs = 20
/** From the change to the answer on the phone, ms. */
const aimAnswerMs = 1000

const phones = Array.from({ length: pings }, (_, number) => ({
  user: `user${Math.floor(number / devicesOfUser)}@example.com`,
  deviceId: `Appl${number}`,
}))

/** What is done, and how many Pings it ends. */
const steps = [
  'nothing changes',
  'all are revoked',
  'one is released',
  'one is revoked',
  'all are released',
] as const
type Step = (typeof steps)[number]

interface Figures {
  /** From the change to each answer, ms; none where turns are watched. */
  readonly answerMs: readonly number[]
  /** Longest turn of each worker, ms of CPU; none where one device changed. */
  readonly turnMs: readonly number[]
}

/** How long does a change hold a worker with thousands of parked Pings, and how soon do phones hear of it? */
export const parkedBench: Bench = async (context) => {
  const node = await startNode(context)
  const client = startClient(context)
  const rounds: ReadonlyMap<Step, Figures>[] = []
  const real = phones.map((phone) => pingOf(phone, '1'))
  await client({ kind: 'open', port: node.proxyPort, requests: real })
  for (let round = 1; round <= Math.min(context.effort.rounds, maxRounds); round++) {
    if (round > 1) await client({ kind: 'send', requests: real })
    node.watch(round === 1)
    const figures = new Map<Step, Figures>()
    await node.whenParked(pings)
    const unchanged = await node.setPolicy(letsIn(`nobody ${round}`))
    figures.set('nothing changes', figuresOf(unchanged, { at: [], wrong: 0 }))

    const revoked = await node.setPolicy(refusesAll)
    figures.set('all are revoked', figuresOf(revoked, await client(awaited(pings, foldersChanged))))
    await client({ kind: 'send', requests: phones.map((phone) => pingOf(phone, 'easgate-inbox')) })
    await node.whenParked(pings)

    const [phone] = phones
    if (phone === undefined) throw new Error('no phones')
    const path = `/api/devices/${phone.user}/${phone.deviceId}/override`
    const releasedAt = await node.call('PUT', path, { action: 'allow', note: 'bench' })
    figures.set('one is released', figuresSince(releasedAt, await client(awaited(1, foldersChanged))))
    await client({ kind: 'send', requests: [pingOf(phone, '1')] })
    await node.whenParked(pings)
    const revokedAt = await node.call('DELETE', path)
    figures.set('one is revoked', figuresSince(revokedAt, await client(awaited(1, foldersChanged))))

    const released = await node.setPolicy(letsIn(`nobody again ${round}`))
    figures.set('all are released', figuresOf(released, await client(awaited(pings - 1, foldersChanged))))
    rounds.push(figures)
    context.say(`parked, round ${round}: ${[...figures].map(roundText).join('; ')}`)
  }
  return sectionOf(rounds)
}

/** Ping Status 7: sync your folders. Revoked and released phones are told the same. */
const foldersChanged = Buffer.from(encodeWbxml(element('Ping:Ping', element('Ping:Status', '7'))))

function awaited(count: number, body: Buffer): PingOrder {
  return { kind: 'await', count, body: body.toString('base64') }
}

function figuresOf(turns: readonly Turns[], { at }: PingAnswers): Figures {
  const policyAt = Math.min(...turns.map((each) => each.policyAt))
  const turnMs = turns.map(({ longestMs }) => longestMs).filter((ms) => ms > 0)
  return { answerMs: turnMs.length > 0 ? [] : at.map((answeredAt) => answeredAt - policyAt), turnMs }
}

function figuresSince(changedAt: number, { at }: PingAnswers): Figures {
  return { answerMs: at.map((answeredAt) => answeredAt - changedAt), turnMs: [] }
}

function pingOf({ user, deviceId }: (typeof phones)[number], folderId: string): string {
  const folder = element('Ping:Folder', element('Ping:Id', folderId), element('Ping:Class', 'Email'))
  const ping = element(
    'Ping:Ping',
    element('Ping:HeartbeatInterval', '3540'),
    element('Ping:Folders', folder),
  )
  const body = Buffer.from(encodeWbxml(ping))
  const head = [
    `POST /Microsoft-Server-ActiveSync?Cmd=Ping&User=${user}&DeviceId=${deviceId}&DeviceType=iPhone HTTP/1.1`,
    'Host: mail.example.com',
    `Authorization: Basic ${Buffer.from(`${user}:a password`).toString('base64')}`,
    'User-Agent: Apple-iPhone14C2/2005.61',
    'MS-ASProtocolVersion: 16.1',
    'Content-Type: application/vnd.ms-sync.wbxml',
    `Content-Length: ${body.length}`,
  ]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]).toString('base64')
}

const access = 'conditionalAccess: { onPremises: { mode: enforce } }\nmaxNewRefusals: 100%\n'
const refusesAll = `${access}deviceRules: [{ name: all, match: { os: iOS }, action: quarantine }]\n`

/** A policy that is another one each time, by a rule that fits nobody. */
function letsIn(name: string): string {
  return `${access}deviceRules: [{ name: ${name}, match: { os: Android, osVersion: "< 1" }, action: block }]\n`
}

interface Node {
  readonly proxyPort: number
  readonly whenParked: (count: number) => Promise<void>
  /** Has the turns of the event loop measured from now on, or no more. */
  readonly watch: (on: boolean) => void
  /** Gives what each worker measured behind it. */
  readonly setPolicy: (text: string) => Promise<readonly Turns[]>
  /** Gives when the API was asked, ms since the epoch. */
  readonly call: (method: 'PUT' | 'DELETE', path: string, body?: unknown) => Promise<number>
}

async function startNode(context: BenchContext): Promise<Node> {
  const upstream = await startPeer('bench/parking-upstream.ts', [], context)
  const directory = join(context.directory, 'parked')
  await mkdir(directory)
  const turnsFile = join(directory, 'turns')
  const policyFile = join(directory, 'policy.yaml')
  const configFile = join(directory, 'easgate.yaml')
  const factsFile = join(directory, 'facts.csv')
  const facts = phones.map(({ user, deviceId }) => `${user},${deviceId},true,true,compliant,iOS,17.5.1`)
  writeFileSync(
    factsFile,
    ['user,deviceId,enrolled,registered,complianceState,platform,osVersion', ...facts, ''].join('\n'),
  )
  writeFileSync(policyFile, letsIn('nobody'))
  const config = {
    listen: { address: '127.0.0.1:0' },
    admin: { address: '127.0.0.1:0' },
    workers,
    store: { path: join(directory, 'easgate.db') },
    backends: {
      exchange: { kind: 'exchange-on-premises', servers: [`http://127.0.0.1:${upstream.ready}`] },
    },
    routing: { default: 'exchange' },
    sources: [{ kind: 'file', path: factsFile }],
    policy: { file: policyFile },
    quarantine: { releasePerSecond: 10_000, alarmShare: '100%' },
  }
  // JSON is YAML
  writeFileSync(configFile, JSON.stringify(config))
  const server = await startServer(
    {
      args: ['--import', './bench/support/turns.ts', 'src/main.ts', 'serve', '--config', configFile],
      env: { EASGATE_BENCH_TURNS: turnsFile },
      outputFile: join(directory, 'out.log'),
      ready: portsIn,
    },
    context.started,
  )
  const admin = `http://127.0.0.1:${server.ready.adminPort}`
  const workerFiles = childrenOf(server.pid).map((pid) => `${turnsFile}-${pid}.json`)
  return {
    proxyPort: server.ready.proxyPort,
    whenParked: async (count) => {
      const wanted = `\neasgate_parked_requests ${count}\n`
      for (
        const giveUpAt = performance.now() + parkTimeoutMs;
        performance.now() < giveUpAt;
        await delay(50)
      ) {
        if ((await textOf(`${admin}/metrics`)).includes(wanted)) return
      }
      throw new Error(`not all of ${count} Pings are parked`)
    },
    watch: (on) =>
      on ? writeFileSync(`${turnsFile}-watch`, '') : rmSync(`${turnsFile}-watch`, { force: true }),
    setPolicy: async (text) => {
      for (const file of workerFiles) rmSync(file, { force: true })
      writeFileSync(policyFile, text)
      process.kill(server.pid, 'SIGHUP')
      return Promise.all(workerFiles.map(turnsIn))
    },
    call: async (method, path, body) => {
      const at = performance.timeOrigin + performance.now()
      const response = await fetch(`${admin}${path}`, {
        method,
        ...(body !== undefined && {
          body: JSON.stringify(body),
          headers: { 'Content-Type': 'application/json' },
        }),
      })
      if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}`)
      return at
    },
  }
}

function portsIn(output: string): { readonly proxyPort: number; readonly adminPort: number } | undefined {
  const line = output
    .split('\n')
    .find((text) => text.includes('"msg":"easgate serves"') && text.endsWith('}'))
  return line === undefined ? undefined : (JSON.parse(line) as ReturnType<typeof portsIn>)
}

async function textOf(url: string): Promise<string> {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url} answered ${response.status}`)
  return response.text()
}

const turnsTimeoutMs = 30_000
const parkTimeoutMs = 120_000

/** A worker writes it when it has measured for long enough. */
async function turnsIn(file: string): Promise<Turns> {
  for (const giveUpAt = performance.now() + turnsTimeoutMs; performance.now() < giveUpAt; await delay(50)) {
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as Turns
    } catch {
      // not there yet, or not whole
    }
  }
  throw new Error('a worker did not take the policy')
}

/** Rejects where a phone got anything else than it should. */
function startClient({ started }: BenchContext): (order: PingOrder) => Promise<PingAnswers> {
  const child: ChildProcess = fork(join(import.meta.dirname, 'support/ping-client.ts'), {
    stdio: ['ignore', 2, 2, 'ipc'],
  })
  started.defer(() => void child.kill())
  return async (order) => {
    child.send(order)
    const [answers] = (await once(child, 'message')) as [PingAnswers]
    if (answers.wrong > 0) throw new Error(`${answers.wrong} phones got a wrong answer`)
    return answers
  }
}

function roundText([step, { answerMs, turnMs }]: readonly [Step, Figures]): string {
  const told = [
    ...(turnMs.length > 0 ? [`turn ${Math.max(...turnMs).toFixed(1)}`] : []),
    ...(answerMs.length > 0 ? [`last ${Math.max(...answerMs).toFixed(0)}`] : []),
  ]
  return `${step} ${told.join(', ')}`
}

function sectionOf(rounds: readonly ReadonlyMap<Step, Figures>[]): Section {
  const all = (step: Step, figure: (figures: Figures) => readonly number[]) =>
    rounds.flatMap((round) => figure(round.get(step) ?? { answerMs: [], turnMs: [] }))
  const ofRounds = (step: Step, figure: (figures: Figures) => readonly number[]) =>
    rounds
      .map((round) => figure(round.get(step) ?? { answerMs: [], turnMs: [] }))
      .filter((found) => found.length > 0)
      .map((found) => Math.max(...found))
  const turns = ({ turnMs }: Figures) => turnMs
  const answers = ({ answerMs }: Figures) => answerMs
  const many: readonly Step[] = ['nothing changes', 'all are revoked', 'all are released']
  const told: readonly Step[] = ['all are revoked', 'one is released', 'one is revoked', 'all are released']
  return {
    title: 'Parked',
    text:
      `${pings} Pings of ${users} users, parked over ${workers} workers; phones, Exchange and easgate in processes of ` +
      'their own, on one machine. A new policy is read on SIGHUP and each Ping judged by it; the time to the answer ' +
      'runs from the moment in which the first worker has the policy, or from the call of the API, to the arrival at ' +
      'the phone. A turn of the event loop is measured in CPU time of the thread, in a round of its own, and holds ' +
      'whole synchronous sections, so that none is longer. releasePerSecond is 10000 here, so that it alone takes 0.9 s ' +
      `for all; by default ${pings} releases are spread over minutes.`,
    columns: ['What', 'answers', 'median ms', 'last ms', 'longest turn, ms of CPU'],
    rows: steps.map((step) => {
      const answerMs = all(step, answers)
      const turnMs = all(step, turns)
      return [
        step,
        String(answerMs.length),
        answerMs.length === 0 ? '' : quantile(answerMs, 0.5).toFixed(0),
        answerMs.length === 0 ? '' : Math.max(...answerMs).toFixed(0),
        turnMs.length === 0 ? '' : Math.max(...turnMs).toFixed(1),
      ]
    }),
    ratios: [
      ...many.map((step) => ({
        name: `longest turn, ms: ${step}`,
        ofRounds: ofRounds(step, turns),
        aim: aimTurnMs,
      })),
      ...told.map((step) => ({
        name: `last answer, ms: ${step}`,
        ofRounds: ofRounds(step, answers),
        // how soon all are released is said in the config
        ...(step !== 'all are released' && { aim: aimAnswerMs }),
      })),
    ],
  }
}
