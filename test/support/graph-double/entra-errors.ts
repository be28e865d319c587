import { newId, type Answer } from './answers.ts'

/** An error of the token endpoint: the number behind AADSTS, and what follows it. */
export interface EntraError {
  readonly code: number
  readonly text: string
}

/** OAuth's word and the status, by number. */
const kinds: Readonly<Record<number, readonly [error: string, status: number]>> = {
  50027: ['invalid_request', 400],
  70003: ['unsupported_grant_type', 400],
  70011: ['invalid_scope', 400],
  90002: ['invalid_request', 400],
  90014: ['invalid_request', 400],
  90033: ['temporarily_unavailable', 503],
  700016: ['unauthorized_client', 400],
  700021: ['invalid_client', 401],
  700023: ['invalid_client', 401],
  700024: ['invalid_client', 401],
  700027: ['invalid_client', 401],
  7000215: ['invalid_client', 401],
  7000218: ['invalid_client', 401],
  7000222: ['invalid_client', 401],
}

/** The error as Entra writes it. */
export function entraAnswer({ code, text }: EntraError, nowMs: number, status?: number): Answer {
  const [error, usualStatus] = kinds[code] ?? ['invalid_request', 400]
  const [traceId, correlationId] = [newId(), newId()]
  const timestamp = `${new Date(nowMs).toISOString().slice(0, 19).replace('T', ' ')}Z`
  const lines = [
    `AADSTS${code}: ${text}`,
    `Trace ID: ${traceId}`,
    `Correlation ID: ${correlationId}`,
    `Timestamp: ${timestamp}`,
  ]
  const body = {
    error,
    error_description: lines.join(' '),
    error_codes: [code],
    timestamp,
    trace_id: traceId,
    correlation_id: correlationId,
    error_uri: `https://entra.invalid/error?code=${code}`,
  }
  return { status: status ?? usualStatus, headers: tokenHeaders, body: JSON.stringify(body) }
}

/** Of every answer of the token endpoint. */
export const tokenHeaders = {
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'no-store, no-cache',
  pragma: 'no-cache',
} as const
