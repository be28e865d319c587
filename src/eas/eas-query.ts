import type { CommandName } from './commands.ts'
import type { ProtocolVersion } from './versions.ts'

/** What the query of a POST says. [MS-ASHTTP] 2.2.1.1.1 */
export interface EasQuery {
  readonly form: 'plain' | 'base64'
  readonly command: CommandName
  readonly deviceId: string
  readonly deviceType: string
  /** `User=` or tag 8; a hint only, the credential is the truth. */
  readonly user: string | undefined
  /** Inside a base64 query; a plain one has it in a header. */
  readonly protocolVersion: ProtocolVersion | undefined
  /** Inside a base64 query, unsigned 32 bit; undefined where the query has none. */
  readonly policyKey: number | undefined
  /** Options bit 02 of a base64 query. */
  readonly acceptMultiPart: boolean
}
