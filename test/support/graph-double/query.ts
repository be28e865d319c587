import { createHash } from 'node:crypto'
import { Refusal } from './answers.ts'
import { parseFilter, type Filter } from './filter.ts'

/** The OData options of a call. */
export interface Query {
  readonly select: readonly string[] | undefined
  readonly filter: Filter | undefined
  readonly top: number | undefined
  readonly count: boolean
  /** Of the last call's nextLink; checked, so that only a link that was followed unchanged gets here. */
  readonly cursor: Cursor | undefined
  readonly deltaToken: string | undefined
  /** The options without the cursor, encoded as Graph encodes them in its links. */
  readonly encoded: string
}

/** Where a list goes on. */
export interface Cursor {
  readonly position: number
  /** Counted from 0. */
  readonly page: number
  readonly state: string
}

const skipToken = '$skiptoken='

/**
 * Reads the part of a URL after `?`.
 * @throws {Refusal} 400 where it makes no sense, or is a nextLink that somebody changed
 */
export function readQuery(path: string, search: string): Query {
  const options = new URLSearchParams(search)
  for (const name of options.keys()) {
    if (!knownOptions.has(name.toLowerCase())) {
      throw new Refusal(400, 'BadRequest', `The query parameter '${name}' is not supported.`)
    }
  }
  const get = (name: string) => options.get(name) ?? undefined
  const top = get('$top')
  if (top !== undefined && !/^[1-9]\d{0,8}$/.test(top)) {
    throw new Refusal(400, 'BadRequest', `Invalid value '${top}' for $top query option found.`)
  }
  return {
    select: get('$select')
      ?.split(',')
      .map((name) => name.trim()),
    filter: filterOf(get('$filter')),
    top: top === undefined ? undefined : Number(top),
    count: get('$count') === 'true',
    cursor: options.has('$skiptoken') ? readCursor(path, search) : undefined,
    // the documentation has both spellings
    deltaToken: get('$deltatoken') ?? get('$deltaToken'),
    encoded: encode(options),
  }
}

const knownOptions = new Set(['$select', '$filter', '$top', '$count', '$skiptoken', '$deltatoken'])

function filterOf(source: string | undefined): Filter | undefined {
  if (source === undefined) return undefined
  try {
    return parseFilter(source)
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    throw new Refusal(400, 'BadRequest', `Invalid filter clause: ${text}`)
  }
}

/** Graph writes escapes in small letters, which most URL code would write in capitals when it builds a link anew. */
function encode(options: URLSearchParams): string {
  const parts = [...options].filter(([name]) => name !== '$skiptoken')
  return parts
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&')
    .replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase())
}

/** A nextLink's path and query. The token holds a hash of all of it. */
export function nextLink(path: string, encoded: string, cursor: Cursor): string {
  const link = `${path}?${encoded}${encoded === '' ? '' : '&'}${skipToken}`
  const body = Buffer.from(JSON.stringify([cursor.position, cursor.page, cursor.state])).toString('base64url')
  return `${link}${body}.${sealOf(link, body)}`
}

function readCursor(path: string, search: string): Cursor {
  const at = search.lastIndexOf(skipToken) + skipToken.length
  const [body = '', seal] = search.slice(at).split('.')
  if (seal !== sealOf(`${path}?${search.slice(0, at)}`, body)) {
    throw new Refusal(
      400,
      'BadRequest',
      'The skip token is not valid: a nextLink must be followed unchanged.',
    )
  }
  const [position, page, state] = JSON.parse(Buffer.from(body, 'base64url').toString()) as [
    number,
    number,
    string,
  ]
  return { position, page, state }
}

function sealOf(link: string, body: string): string {
  return createHash('sha256').update(link).update(body).digest('base64url').slice(0, 16)
}
