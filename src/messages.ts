import type { Change } from '#directory/changes.ts'
import type { LookUpOutcome } from '#directory/facts-source.ts'
import type { Sighting } from '#directory/sightings.ts'
import type { Config } from '#config/schema.ts'
import type { EnteredCode } from '#enrollment/codes.ts'
import type { EnrollmentInForce, PolicyInForce, QuarantineInForce } from '#proxy/create-proxy.ts'
import type { MetricsSnapshot } from '#telemetry/metrics.ts'
import type { HourlyCount } from '#directory/audit.ts'
import type { TraceReport } from '#directory/traces.ts'

/** What a worker is given to start with: checked by the owner, with the address of its simulator filled in. */
export interface WorkerSettings {
  readonly config: Config
  readonly policy: PolicyInForce
  readonly quarantine: QuarantineInForce
  readonly enrollment: EnrollmentInForce
  /** How many there are. */
  readonly workers: number
}

/** Owner to worker. What has an `id` is answered with it; a worker that does not is replaced. */
export type OwnerMessage =
  | { readonly type: 'start'; readonly settings: WorkerSettings }
  | { readonly type: 'changes'; readonly id: number; readonly changes: readonly Change[] }
  | { readonly type: 'policy'; readonly id: number; readonly policy: PolicyInForce }
  | { readonly type: 'quarantine'; readonly id: number; readonly quarantine: QuarantineInForce }
  | { readonly type: 'enrollment'; readonly id: number; readonly enrollment: EnrollmentInForce }
  | { readonly type: 'metrics'; readonly id: number }
  | { readonly type: 'looked-up'; readonly id: number; readonly outcome: LookUpOutcome }
  /** Without a code where none could be made. */
  | { readonly type: 'code-made'; readonly id: number; readonly code?: string }
  | { readonly type: 'code-entered'; readonly id: number; readonly entered: EnteredCode }
  /** Answered when nothing is served any more and the last report is sent; then the worker ends. */
  | { readonly type: 'stop'; readonly id: number }

/** What a worker saw in one second. */
export interface Report {
  readonly sightings: readonly Sighting[]
  readonly counts: readonly HourlyCount[]
  readonly traces: readonly TraceReport[]
}

/** Worker to owner. */
export type WorkerMessage =
  | { readonly type: 'listening'; readonly port: number }
  /** It cannot start, and waits for its end. The message is one line. */
  | { readonly type: 'failed'; readonly message: string }
  | { readonly type: 'ack'; readonly id: number }
  /** Asks for one device; answered with `looked-up` once what the sources say of it is in force. */
  | { readonly type: 'look-up'; readonly id: number; readonly user: string; readonly deviceId: string }
  /** Asks for a code that opens the page of a pair elsewhere; answered with `code-made`. */
  | { readonly type: 'make-code'; readonly id: number; readonly pairId: string }
  /** Somebody entered a code; answered with `code-entered`. */
  | { readonly type: 'enter-code'; readonly id: number; readonly code: string; readonly address: string }
  | { readonly type: 'metrics'; readonly id: number; readonly snapshot: MetricsSnapshot }
  /** Once a second where anything happened, and once more at the end. Bounded. */
  | { readonly type: 'report'; readonly report: Report }
