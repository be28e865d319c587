import pino, { type Logger } from 'pino'
import { createLineWriter } from './line-writer.ts'
import type { Outcome } from './outcome.ts'

export type { Logger } from 'pino'

/** Longest text of a client that a log line holds. T-59 */
const maxFieldLength = 256

/**
 * JSON lines on standard output, written at the latest after a tenth of a second. No credential, policy key or body is ever handed to it. T-21, T-59
 */
export function createLog(level: string, bindings: Readonly<Record<string, unknown>> = {}): Logger {
  const writer = createLineWriter(1, (lines) => log.warn({ lines }, 'lines of the log were lost'))
  process.once('exit', writer.flush)
  const log = pino(
    {
      level,
      base: bindings,
      timestamp: createTimestamp(Date.now),
      formatters: { level: (label) => ({ level: label }) },
    },
    writer,
  )
  return log
}

/** What JSON lets stand although a terminal obeys it: C1 controls, DEL, marks that turn text round, line separators. */
const unseen = /[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/u
const allUnseen = new RegExp(unseen, 'gu')

/** Text of a client as it may stand in a line: cut, and what cannot be seen written out. */
export function clientText(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const short = text.slice(0, maxFieldLength)
  if (!unseen.test(short)) return short
  return short.replace(allUnseen, (mark) => `\\u{${hexOf(mark)}}`).slice(0, maxFieldLength)
}

function hexOf(mark: string): string {
  return (mark.codePointAt(0) ?? 0).toString(16)
}

/**
 * Pino's `time` field in ISO 8601. The part down to the second is made once a second: a Date for each line cost as much
 * as a third of the line. @param now milliseconds since the epoch
 */
export function createTimestamp(now: () => number): () => string {
  let second = Number.NaN
  let upToSecond = ''
  return () => {
    const milliseconds = now()
    const current = Math.floor(milliseconds / 1000)
    if (current !== second) {
      second = current
      upToSecond = `,"time":"${new Date(current * 1000).toISOString().slice(0, 20)}`
    }
    return `${upToSecond}${String(milliseconds - current * 1000).padStart(3, '0')}Z"`
  }
}

/** Writes the access log line of one request. */
export function logOutcome(log: Logger, outcome: Outcome): void {
  log.info(
    {
      requestId: outcome.requestId,
      command: outcome.command,
      action: outcome.action,
      reason: outcome.reason,
      rule: outcome.rule,
      mode: outcome.mode,
      reportOnly: outcome.reportOnly || undefined,
      status: outcome.status,
      code: outcome.code,
      user: clientText(outcome.user),
      deviceId: outcome.deviceId,
      deviceType: clientText(outcome.deviceType),
      userAgent: clientText(outcome.userAgent),
      platform: outcome.platform,
      osVersion: outcome.osVersion,
      client: outcome.client,
      protocolVersion: outcome.protocolVersion,
      backend: outcome.backend,
      server: outcome.server,
      clientAddress: outcome.clientAddress,
      policyRevision: outcome.policyRevision,
      factsRevision: outcome.factsRevision,
      durationMs: round(outcome.durationMs),
      upstreamMs: outcome.upstreamMs === undefined ? undefined : round(outcome.upstreamMs),
    },
    'request',
  )
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 100) / 100
}
