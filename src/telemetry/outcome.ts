import type { Action, Reason } from '#policy/reasons.ts'

/**
 * What became of one request: the one record that log line, metrics, sighting and audit are made of. Texts that
 * clients choose are cut by whoever writes them out.
 */
export interface Outcome {
  readonly requestId: string
  readonly command: string
  readonly action: Action
  readonly reason: Reason
  /** The criterion that decided; `none` where the request was refused before it was judged. */
  readonly rule: string
  readonly mode: 'enforce' | 'report-only' | 'off'
  /** True where the refusal was only counted and the request went to Exchange. */
  readonly reportOnly: boolean
  readonly backend: string
  readonly server: string | undefined
  /** HTTP status given to the client; 499 where it left first, 0 where a connection ended without one. */
  readonly status: number
  /** `EasErrorCode` of a malformed request. */
  readonly code: string | undefined
  readonly user: string | undefined
  readonly deviceId: string | undefined
  readonly deviceType: string | undefined
  readonly userAgent: string | undefined
  readonly protocolVersion: string | undefined
  readonly platform: string
  readonly osVersion: string
  readonly model: string
  readonly client: string
  readonly clientAddress: string
  readonly policyRevision: number
  readonly factsRevision: number
  /** Whole request, milliseconds. */
  readonly durationMs: number
  /** Parse to decision, milliseconds; without the wait for proofs. */
  readonly decisionMs: number
  /** From dispatch to the head of the backend's answer, milliseconds; undefined where nothing was asked. */
  readonly upstreamMs: number | undefined
}
