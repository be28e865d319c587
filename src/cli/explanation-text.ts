import type { Explanation, LookedAt, ShownTrace } from '#admin/explanation.ts'
import type { RequestExplanation } from '#admin/traces.ts'
import type { ShownFact } from '#policy/explanation.ts'
import { isRefusal } from '#policy/reasons.ts'
import { table } from './table.ts'

/** An explanation for people: the verdict first and what would change it, then the facts, then the way to it. */
export function explanationText(deviceId: string, explanation: Explanation | RequestExplanation): string {
  const { action, reason, user, mode } = explanation
  const reported = isRefusal(action) && mode === 'report-only' ? ', only reported: it goes to Exchange' : ''
  return [
    `${user}  ${deviceId}: ${action} (${reason})${reported}`,
    ...indented(table(headOf(explanation))),
    '  facts:',
    ...indented(indented(table(factRows(explanation)))),
    '  looked at, in order:',
    ...indented(indented(stepLines(explanation))),
  ].join('\n')
}

function headOf(explanation: Explanation | RequestExplanation): readonly Row[] {
  const { rule, mode, backend, device, claims, facts, at } = explanation
  const said = [
    claims.deviceType,
    claims.userAgent,
    claims.protocolVersion && `EAS ${claims.protocolVersion}`,
  ]
  const seen = claims.seenAt === null || claims.seenAt === at ? '' : `, ${age(claims.seenAt, at)} ago`
  const origin = facts['onRecord'] === true ? `of ${shown(facts['source'])}` : 'not on record'
  return [
    ...requestRows(explanation),
    ...(facts['known'] === true ? [] : [['user', 'no source knows this login: it counts as targeted']]),
    ['because', explanation.detail],
    ['changes if', explanation.changedBy],
    ['stands', lasting(explanation)],
    ['decided by', `${rule}, mode ${mode}, backend ${backend}`],
    ['device', `${device.platform} ${device.osVersion}, ${device.model}, ${device.client}`],
    ['claims', said.some(Boolean) ? `${said.filter(Boolean).join(', ')}${seen}` : '-'],
    ['policy', `revision ${explanation.policyRevision}, digest ${explanation.policyDigest}`],
    ['on record', `${origin}, revision ${explanation.factsRevision}`],
    ...Object.entries(explanation.fields).flatMap(([name, fact]) => contradiction(name, fact, at)),
  ]
}

/** What is told of a request that was asked about. */
function requestRows(explanation: Explanation | RequestExplanation): readonly Row[] {
  if (!('recomputed' in explanation)) return []
  if (!explanation.recomputed) return [['request', traceText(explanation)]]
  const moved = {
    true: 'and these are others by now: it may have been answered otherwise',
    false: 'and these are the same as then',
    null: 'and it is not told whether these have changed since',
  }[`${explanation.movedOn}` as const]
  return [
    [
      'request',
      `${explanation.requestId}: no explanation is kept; this one is by the policy and the facts of now, ${moved}`,
    ],
  ]
}

function traceText({ requestId, lastRequestId, requests, at, lastAt }: ShownTrace): string {
  if (requests === 1) return `${requestId} at ${at}, as it was decided then`
  return `${requestId} at ${at}, as it was decided then; ${requests} alike, the last ${lastRequestId} at ${lastAt}`
}

function lasting({ validUntil, at }: Explanation): string {
  const otherwise = 'policy or facts change'
  return validUntil === null
    ? `until ${otherwise}`
    : `until ${validUntil} (${age(at, validUntil)}), or ${otherwise}`
}

function contradiction(
  name: string,
  { value, source, contradictedBy = [] }: ShownFact,
  at: string,
): readonly Row[] {
  return contradictedBy.map((other) => [
    'CONTRADICTION',
    `${name} is ${shown(value)} by ${source}, ${shown(other.value)} by ${other.source}${old(other.asOf, at)}`,
  ])
}

function factRows({ fields, at }: Explanation): readonly Row[] {
  return Object.entries(fields).map(([name, { value, source, asOf }]) => [
    name,
    shown(value),
    `${source ?? '-'}${old(asOf, at)}`,
  ])
}

function stepLines({ trace }: Explanation): readonly string[] {
  const deciding = trace.findLastIndex(({ outcome }) => outcome !== 'passed')
  const lines = table(
    trace.map(({ criterion, outcome, detail, facts }, index) => [
      `${index === deciding ? '>' : ' '} ${criterion}`,
      outcome,
      detail === '' ? facts.map(lookedAt).join(', ') : detail,
    ]),
  )
  return trace.flatMap(({ notes, detail, facts }, index) => {
    const known = detail === '' ? [] : facts.filter(({ value }) => value !== null).map(lookedAt)
    const below = [...notes, ...(known.length === 0 ? [] : [`by ${known.join(', ')}`])]
    return [lines[index] ?? '', ...below.map((text) => `    ${text}`)]
  })
}

function lookedAt({ name, value }: LookedAt): string {
  return `${name} ${shown(value)}`
}

function shown(value: LookedAt['value'] | undefined): string {
  if (value === null || value === undefined) return '-'
  return typeof value === 'object' ? value.join(', ') || 'none' : String(value)
}

function old(asOf: string | null, at: string): string {
  return asOf === null ? '' : `, ${age(asOf, at)} old`
}

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
] as const

/** The time between two instants, in the largest unit of which there are two. */
function age(from: string, to: string): string {
  const ms = Math.max(Date.parse(to) - Date.parse(from), 0)
  const [unit, unitMs] = units.find(([, size]) => ms >= 2 * size) ?? ['s', 1000]
  return `${Math.floor(ms / unitMs)} ${unit}`
}

type Row = readonly string[]

function indented(lines: readonly string[]): readonly string[] {
  return lines.map((line) => `  ${line}`)
}
