import { LRUCache } from 'lru-cache'
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

/** Reads the query of a POST: `parseQuery`, or one that remembers. */
export type QueryParser = typeof parseQuery

/** Longer ones are read anew each time: nobody may fill the memory with them. T-51 */
const maxRememberedLength = 512

/**
 * `parseQuery` with a memory of the `max` queries read last. A phone sends the same few queries for years, and the same
 * text reads the same; what is refused is not remembered.
 */
export function createQueryParser({ max = 10_000 } = {}): QueryParser {
  const remembered = new LRUCache<string, EasQuery>({ max })
  return (query) => {
    if (query === undefined || query.length > maxRememberedLength) return parseQuery(query)
    const known = remembered.get(query)
    if (known !== undefined) return known
    const parsed = parseQuery(query)
    remembered.set(query, parsed)
    return parsed
  }
}
