import type { Priority } from './budget.ts'
import { isObject, type JsonObject } from './fields.ts'
import type { GraphCall } from './graph-calls.ts'
import type { GraphClient } from './graph-client.ts'
import { GraphError } from './graph-error.ts'

/** One page of a list. It may be empty and still have others behind it. */
export interface Page<Stamp> {
  readonly items: readonly unknown[]
  /** What `stamp` gave when the page was asked for. */
  readonly stamp: Stamp
  /** On the last page of a delta: where the next round begins. */
  readonly deltaLink?: string
}

export interface PagesRequest<Stamp> {
  readonly call: GraphCall
  /** The first page. */
  readonly url: string
  readonly priority: Priority
  readonly signal: AbortSignal
  readonly stamp: () => Stamp
}

/** No list is this long: 20,000 pages of 500 are ten million records. */
const maxPages = 20_000

/**
 * The pages of a list, each asked for while the one before is used. A nextLink is followed as it stands, on Graph's own
 * origin only: it comes with our token. facts.md 5
 *
 * @throws {GraphError} GRAPH_BAD_ANSWER also where a link leads in a circle
 */
export async function* pages<Stamp>(
  client: GraphClient,
  { call, url, priority, signal, stamp }: PagesRequest<Stamp>,
): AsyncGenerator<Page<Stamp>> {
  const home = new URL(url).origin
  const asked = new Set([url])

  const ask = async (link: string): Promise<{ page: Page<Stamp>; next: string | undefined }> => {
    const stampOfPage = stamp()
    const answer = await client.ask({ call, url: link, priority, signal })
    const next = linkIn(answer, '@odata.nextLink', home)
    const deltaLink = linkIn(answer, '@odata.deltaLink', home)
    return {
      page: {
        items: itemsOf(answer),
        stamp: stampOfPage,
        ...(deltaLink === undefined ? undefined : { deltaLink }),
      },
      next,
    }
  }

  let current = await ask(url)
  for (;;) {
    const { page, next } = current
    if (next === undefined) {
      yield page
      return
    }
    if (asked.has(next))
      throw new GraphError('GRAPH_BAD_ANSWER', `the nextLink of ${call.subject} leads in a circle`)
    if (asked.size === maxPages)
      throw new GraphError('GRAPH_BAD_ANSWER', `the list of ${call.subject} has no end`)
    asked.add(next)
    const following = ask(next)
    // whoever stops early never looks at it
    following.catch(() => undefined)
    yield page
    current = await following
  }
}

function itemsOf({ value }: JsonObject): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw new GraphError('GRAPH_BAD_ANSWER', 'a page of Graph holds no list')
}

function linkIn(answer: JsonObject, name: string, home: string): string | undefined {
  const link = answer[name]
  if (link === undefined || link === null) return undefined
  if (typeof link !== 'string' || !URL.canParse(link) || new URL(link).origin !== home) {
    throw new GraphError('GRAPH_BAD_ANSWER', `a link of Graph leads away from ${home}`)
  }
  return link
}

/** The objects of a page; the others are no records of Graph. */
export function objectsOf(items: readonly unknown[]): readonly JsonObject[] {
  return items.filter(isObject)
}
