import { LRUCache } from 'lru-cache'
import { parseBase64Query } from './base64-query.ts'
import type { EasQuery } from './eas-query.ts'
import { EasError } from './errors.ts'
import { parsePlainQuery } from './plain-query.ts'

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
