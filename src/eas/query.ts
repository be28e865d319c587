import { parseBase64Query } from './base64-query.ts'
import type { CommandName } from './commands.ts'
import { EasError } from './errors.ts'
import { parsePlainQuery } from './plain-query.ts'
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

const plainForm = /=[^=]/

/**
 * Reads the query of a POST in either form. A base64 query has no `name=value` in it; a plain one always has.
 * @throws {EasError} with the code of the first fault; nothing is repaired, nothing truncated
 */
export function parseQuery(query: string | undefined): EasQuery {
  if (query === undefined || query === '') throw new EasError('EAS_QUERY_MISSING', 'a POST needs a query')
  return plainForm.test(query) || query.includes('&') ? parsePlainQuery(query) : parseBase64Query(query)
}
