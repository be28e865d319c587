import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ClientIdentity } from '#eas/client/identify-client.ts'
import type { DeviceInformation } from '#eas/device-information.ts'
import type { Identity } from '#eas/identify.ts'
import type { EasRequest } from '#eas/parse.ts'
import type { KnownFacts } from '#directory/lookup.ts'
import type { CompiledPolicy } from '#policy/compile.ts'
import type { Decision } from '#policy/decide.ts'
import type { PolicyVersion } from '#policy/explanation.ts'
import type { Action, Reason } from '#policy/reasons.ts'
import type { Backend } from './upstreams.ts'

/** One request and its answer on the wire, before anything is known of it. */
export interface Exchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly requestId: string
  /** Monotonic, milliseconds. */
  readonly startedMs: number
  /** Address of the socket's peer, or of the PROXY header where one is required. */
  readonly peer: string
  /** True where the client waits for 100 Continue before it sends the body. T-36 */
  readonly expectsContinue: boolean
}

/** The policy in force. */
export interface CurrentPolicy extends PolicyVersion {
  readonly value: CompiledPolicy
}

/** A request with all that the first four steps found out. */
export interface Judged {
  readonly request: EasRequest
  readonly identity: Identity
  readonly facts: KnownFacts
  readonly client: ClientIdentity
  /** The directory's name for the user, else the first candidate; empty without a credential. */
  readonly user: string
  readonly backend: Backend
  readonly decision: Decision
  /** By which it was decided. */
  readonly policy: CurrentPolicy
  /** When, ms since the epoch. */
  readonly decidedAt: number
  readonly clientAddress: string
  /** Parse to decision, milliseconds. */
  readonly decisionMs: number
}

/** What became of it. */
export interface ActResult {
  /** HTTP status given; 499 where the client left first. */
  readonly status: number
  /** Where the outcome is not the decision's: the backend was down, or refused the credentials of a proof. */
  readonly action?: Action
  readonly reason?: Reason
  readonly reportOnly?: boolean
  /** The server that answered; absent where the answer is ours. */
  readonly server?: string
  readonly upstreamMs?: number
  /** The credentials were proved, by a proof or by an answer other than 401: only then is this a sighting. T-56 */
  readonly proved?: boolean
  /** The pair was asked to provision, so that a wipe can reach it. */
  readonly provisionAsked?: boolean
}

/** What became of a request, and as what it was judged in the end where it was judged again meanwhile. */
export type Acted = ActResult & { readonly information?: DeviceInformation; readonly judged?: Judged }

// unique over processes by the prefix, within one by the counter
const prefix = randomBytes(4).toString('hex')
let counter = 0

/** A request id for log and support, short and without meaning. */
export function nextRequestId(): string {
  counter++
  return `${prefix}-${counter.toString(36)}`
}
