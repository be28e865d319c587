import type { WbxmlElement } from '#eas/wbxml/element.ts'
import type { Answer } from './answer.ts'
import type { Device } from './device.ts'
import type { ParkedCount } from './hold.ts'
import type { Account, Organization } from './organization.ts'
import type { EasRequestLine } from './query.ts'
import type { ProtocolVersion } from './versions.ts'

/** How this server behaves, all defaults filled in. */
export interface ServerBehaviour {
  readonly protocolVersions: readonly string[]
  readonly requireProvisioning: boolean
  /** Ask for Provision by HTTP 449 at every version, as one open server does (protocol.md section 16). */
  readonly alwaysHttp449: boolean
  readonly minHeartbeatSeconds: number
  readonly maxHeartbeatSeconds: number
}

/** One authenticated command on its way to its handler. */
export interface CommandContext {
  readonly organization: Organization
  readonly behaviour: ServerBehaviour
  readonly account: Account
  readonly device: Device
  readonly request: EasRequestLine
  readonly version: ProtocolVersion
  readonly body: Uint8Array
  /** The body as WBXML; undefined where there was none, or where it is mail. */
  readonly document: WbxmlElement | undefined
  /** Aborts when the client goes away. */
  readonly gone: AbortSignal
  readonly parked: ParkedCount
  /** Keys that are given out once only, so that a wrong one never fits by chance. */
  readonly nextKey: () => string
  /** Called when a device says how its wipe ended: 1 done, 2 failed. */
  readonly onWipe: (status: number) => void
}

/** Gives the answer, or undefined where the client went away while it waited. */
export type Command = (context: CommandContext) => Answer | undefined | Promise<Answer | undefined>
