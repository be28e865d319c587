import pino, { type Logger } from 'pino'
import { createLineWriter } from './line-writer.ts'
import type { Outcome } from './outcome.ts'

export type { Logger } from 'pino'

/** Longest text of a client that a log line holds. T-59 */
const maxFieldLength = 256

/**
 * JSON lines on standard output, written in the background and at the latest after a tenth of a second. No credential,
 * policy key or body is ever handed to it. T-21, T-59
 */
export function createLog(level: string, bindings: Readonly<Record<string, unknown>> = {}): Logger {
  const writer = createLineWriter(1, (lines) => log.warn({ lines }, 'lines of the log were lost'))
  process.once('exit', writer.flush)
  const log = pino(
    {
      level,
      base: bindings,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    writer,
  )
  return log
}

function cut(text: string | undefined): string | undefined {
  return text === undefined || text.length <= maxFieldLength ? text : text.slice(0, maxFieldLength)
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
      user: cut(outcome.user),
      deviceId: outcome.deviceId,
      deviceType: cut(outcome.deviceType),
      userAgent: cut(outcome.userAgent),
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
