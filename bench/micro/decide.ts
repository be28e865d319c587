import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { compilePolicy, type CompiledPolicy } from '#policy/compile.ts'
import type { DecisionRequest } from '#policy/criterion.ts'
import { decide } from '#policy/decide.ts'
import type { Facts } from '#policy/facts.ts'
import { policySchema } from '#policy/schema.ts'
import type { Bench, Section } from '../support/bench.ts'
import { median } from '../support/statistics.ts'

/** What a decision may cost with fifty rules. */
const aimNs = 3000
/** A run takes many ticks of the clock by which Linux counts CPU. */
const callsARun = 50_000
/** An empty function is measured by so many times as many. */
const timesMore = 100
/** Few enough that no collection falls into them. */
const callsOfHeap = 250
/** Enough that V8 has compiled all that it compiles. */
const callsToSettle = 200_000

const groups = Array.from({ length: 20 }, (_, index) => `group-${index}`)
const now = Date.UTC(2026, 5, 1)

const client = {
  platform: 'iOS',
  osVersion: '17.5.1',
  model: 'iPhone 15',
  client: 'Apple Mail',
  contradiction: false,
} as const

function requestOf(deviceId: string): DecisionRequest {
  return {
    service: 'onPremises',
    deviceId,
    userMismatch: false,
    deviceType: 'iPhone',
    userAgent: 'Apple-iPhone15C4/2106.80',
    client,
    protocolVersion: '16.1',
    minProtocolVersion: '2.5',
  }
}

/** A user in twenty groups, with a compliant iPhone of which everything is known. */
function factsOf(user: string): Facts {
  return {
    user: { user, groups: [...groups] },
    device: {
      enrolled: true,
      registered: true,
      activated: true,
      complianceState: 'compliant',
      platform: 'iOS',
      osVersion: '17.5.1',
      model: 'iPhone 15',
      jailbroken: false,
      encrypted: true,
      passcode: true,
      emailProfileManaged: true,
      lastCheckIn: now - 3_600_000,
      origin: { sources: ['file'], asOf: now - 60_000 },
    },
    otherOwner: false,
    userHasEnrolledDevice: true,
    sourcesComplete: true,
    history: { allowedBefore: true, firstSeenAt: now - 1e10 },
    exclusiveAllows: [],
    otherDevices: [],
    unreadGroups: [],
    revision: 1,
  }
}

/** Several phones in turn, so that no answer can be moved out of the loop. */
const cases = Array.from({ length: 64 }, (_, index) => ({
  request: requestOf(`ApplBENCH${index}`),
  facts: factsOf(`user${index}@example.com`),
}))

/** Device rules of each kind, none of which fits: all are asked. */
function deviceRules(count: number) {
  return Array.from({ length: count }, (_, index) => ({
    name: `rule ${index}`,
    match: [
      { osVersion: `ios < ${(index % 15) + 1}.4` },
      { os: 'Android', osVersion: `< ${(index % 10) + 1}` },
      { model: `SM-${index}*` },
      { userAgent: `Mailer-${index}/*`, deviceType: ['iPad', 'iPod'] },
      { client: [`Mailer ${index}`, '*Outlook*'] },
    ][index % 5],
    action: index % 2 === 0 ? 'block' : 'quarantine',
  }))
}

/** Policies of five rules each, all assigned, all met. */
function compliancePolicies(count: number) {
  return Array.from({ length: count }, (_, index) => ({
    name: `policy ${index}`,
    assignedGroups: ['no-group', `group-${index}`],
    platforms: ['iOS'],
    rules: {
      passcodeRequired: true,
      encryptionRequired: true,
      jailbreakAllowed: false,
      minOsVersion: '16.4',
      maxCheckInDays: 30,
    },
  }))
}

function policyOf(rules: object): CompiledPolicy {
  const onPremises = {
    targetedGroups: ['group-19'],
    exemptedGroups: ['executives'],
    compliantBeatsPlatformRule: false,
  }
  const policy = { conditionalAccess: { onPremises }, onSourceUnavailable: { maxFactsAge: '3d' }, ...rules }
  return compilePolicy(policySchema.parse(policy))
}

type Decide = (request: DecisionRequest, facts: Facts, policy: CompiledPolicy, now: number) => unknown

const empty: Decide = () => undefined

interface Subject {
  readonly name: string
  readonly ask: Decide
  readonly policy: CompiledPolicy
  /** CPU of one call, nanoseconds, round by round. */
  readonly ns: number[]
  /** Bytes that one call leaves on the heap, round by round. */
  readonly bytes: number[]
}

function subject(name: string, rules: object, ask: Decide = decide): Subject {
  return { name, ask, policy: policyOf(rules), ns: [], bytes: [] }
}

function run({ ask, policy }: Subject, calls: number): void {
  for (let index = 0; index < calls; index++) {
    const asked = cases[index % cases.length]
    if (asked !== undefined) ask(asked.request, asked.facts, policy, now)
  }
}

/** What does one decision cost, and does it cost memory by the rule? */
export const decideBench: Bench = async ({ effort, say }) => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const none = subject('no rules', {})
  const few = subject('5 device rules', { deviceRules: deviceRules(5) })
  const fifty = subject('50 device rules', { deviceRules: deviceRules(50) })
  const mixed = subject('25 device rules, 25 rules in 5 compliance policies', {
    deviceRules: deviceRules(25),
    compliancePolicies: compliancePolicies(5),
  })
  const nothing = subject('an empty function', {}, empty)
  const subjects = [nothing, none, few, fifty, mixed]
  for (const each of subjects) {
    check(each)
    run(each, effort.warmUpRequests * 10)
  }
  for (let round = 1; round <= effort.rounds * 2; round++) {
    for (const each of round % 2 === 1 ? subjects : subjects.toReversed()) {
      const calls = each.ask === empty ? callsARun * timesMore : callsARun
      each.ns.push((cpuOf(() => run(each, calls)) * 1000) / calls)
    }
  }
  for (const each of subjects) {
    run(each, callsToSettle)
    for (let round = 1; round <= effort.rounds; round++) {
      collect()
      each.bytes.push(heapOf(() => run(each, callsOfHeap)) / callsOfHeap)
    }
  }
  say(`decided: ${subjects.map(({ name, ns }) => `${name} ${median(ns).toFixed(0)} ns`).join('; ')}`)
  return sectionOf({ nothing, few, fifty, mixed }, subjects)
}

/** CPU time of this thread, microseconds. */
function cpuOf(work: () => void): number {
  const before = process.threadCpuUsage()
  work()
  const used = process.threadCpuUsage(before)
  return used.user + used.system
}

function heapOf(work: () => void): number {
  const before = process.memoryUsage().heapUsed
  work()
  return process.memoryUsage().heapUsed - before
}

/** The phone must be let in at the end of the flow, or less than all of it is measured. */
function check({ name, ask, policy }: Subject): void {
  const [asked] = cases
  const answer = asked && ask(asked.request, asked.facts, policy, now)
  const reason = (answer as { readonly reason?: string } | undefined)?.reason
  if (ask === decide && reason !== 'compliant') throw new Error(`${name}: answered ${reason}, not compliant`)
}

function sectionOf(
  { nothing, few, fifty, mixed }: Readonly<Record<'nothing' | 'few' | 'fifty' | 'mixed', Subject>>,
  subjects: readonly Subject[],
): Section {
  const ofAim = ({ ns }: Subject) => ns.map((figure) => figure / aimNs)
  return {
    title: 'Decision',
    text:
      'One call of decide, in this process: a compliant iPhone on-premises, its user in 20 groups, every question of ' +
      `the flow asked, none of the rules fitting. CPU of the thread. The heap is what ${callsOfHeap} calls leave on it ` +
      'when nothing is collected, in the round that left least: after a forced collection V8 now and then compiles ' +
      'anew, and code that is not compiled yet leaves more. The empty function is called by the same loop. That fifty ' +
      'rules leave no more than five means that nothing is allocated by the rule.',
    columns: ['Policy', 'CPU ns a decision', 'least to most', 'bytes of heap a decision'],
    rows: subjects.map(({ name, ns, bytes }) => [
      name,
      median(ns).toFixed(1),
      `${Math.min(...ns).toFixed(1)} to ${Math.max(...ns).toFixed(1)}`,
      Math.min(...bytes).toFixed(0),
    ]),
    ratios: [
      { name: `50 device rules / ${aimNs} ns`, ofRounds: ofAim(fifty), aim: 1 },
      { name: `25 device rules, 25 of compliance / ${aimNs} ns`, ofRounds: ofAim(mixed), aim: 1 },
      { name: '50 device rules / an empty function', ofRounds: quotients(fifty.ns, nothing.ns) },
      {
        name: 'heap, 50 device rules / 5 device rules',
        ofRounds: [Math.min(...fifty.bytes) / Math.min(...few.bytes)],
        aim: 1.05,
      },
    ],
  }
}

function quotients(figures: readonly number[], others: readonly number[]): readonly number[] {
  return figures.map((figure, round) => figure / (others[round] ?? Number.NaN))
}
