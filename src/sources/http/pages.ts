import { valueAt, type FieldPath } from './field-path.ts'
import { HttpError } from './http-error.ts'
import type { JsonAnswer } from './http-client.ts'

/** One page of the list of all devices. It may be empty and still have others behind it. */
export interface Page<Stamp> {
  readonly items: readonly unknown[]
  /** What `stamp` gave when the page was asked for. */
  readonly stamp: Stamp
}

/** Where an answer says what follows. */
export interface AnswerShape {
  /** Where the list of records, or the one record, stands. */
  readonly records: FieldPath
  /** Where the URL of the next page stands; undefined: in the Link header. */
  readonly nextPath: FieldPath | undefined
}

/** No list is this long. */
const maxPages = 100_000

/**
 * The pages of a list, each asked for while the one before is used. A link is followed on the first page's own origin
 * only: it gets our credentials.
 *
 * @throws {HttpError} HTTP_BAD_ANSWER also where a link leads in a circle
 */
export async function* pages<Stamp>(
  url: string,
  shape: AnswerShape,
  get: (url: string) => Promise<JsonAnswer>,
  stamp: () => Stamp,
): AsyncGenerator<Page<Stamp>> {
  const asked = new Set([url])

  const ask = async (link: string) => {
    const stampOfPage = stamp()
    const answer = await get(link)
    return { page: { items: itemsOf(answer, shape), stamp: stampOfPage }, next: nextOf(answer, shape, link) }
  }

  let current = await ask(url)
  for (;;) {
    const { page, next } = current
    if (next === undefined) {
      yield page
      return
    }
    if (asked.has(next)) throw badAnswer('the links from page to page lead in a circle')
    if (asked.size === maxPages) throw badAnswer('the list has no end')
    asked.add(next)
    const following = ask(next)
    // whoever stops early never looks at it
    following.catch(() => undefined)
    yield page
    current = await following
  }
}

/** The records of an answer. An answer without them is no empty list: nothing follows from it. T-56 */
export function itemsOf({ json }: JsonAnswer, { records }: Pick<AnswerShape, 'records'>): readonly unknown[] {
  const found = valueAt(json, records)
  if (Array.isArray(found)) return found
  if (typeof found === 'object' && found !== null) return [found]
  throw badAnswer(`an answer has no records at ${records.length === 0 ? '.' : records.join('.')}`)
}

/** The URL of the next page; undefined: this is the last. */
export function nextOf(
  { json, link }: JsonAnswer,
  { nextPath }: Pick<AnswerShape, 'nextPath'>,
  url: string,
): string | undefined {
  const next = nextPath === undefined ? linkNext(link) : valueAt(json, nextPath)
  if (next === undefined || next === null || next === '') return undefined
  if (typeof next === 'string' && URL.canParse(next, url)) {
    const target = new URL(next, url)
    if (target.origin === new URL(url).origin) return target.href
  }
  throw badAnswer('the link to the next page is no URL on the host of this one')
}

/** The target of the link whose relation is `next`. RFC 8288 */
function linkNext(header: string): string | undefined {
  for (const [, target, parameters = ''] of header.matchAll(/<([^<>]*)>((?:\s*;[^,<]*)*)/g)) {
    if (/;\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next(?=\s*(?:;|$)))/i.test(parameters)) return target
  }
  return undefined
}

function badAnswer(message: string): HttpError {
  return new HttpError('HTTP_BAD_ANSWER', message)
}
