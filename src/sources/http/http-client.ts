import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Agent } from 'undici'
import type { HttpSourceConfig } from '#config/sources.ts'
import { decodeUtf8 } from '#eas/text.ts'
import { HttpError, reasonOf } from './http-error.ts'

/** One answer, its JSON read. */
export interface JsonAnswer {
  readonly json: unknown
  /** The Link header; empty where there is none. */
  readonly link: string
}

/** Asks the MDM over connections of its own. */
export interface HttpClient {
  /** @throws {HttpError}; the signal's reason */
  get(url: string, maxBytes: number, signal: AbortSignal): Promise<JsonAnswer>
  close(): Promise<void>
}

export type HttpClientConfig = Pick<
  HttpSourceConfig,
  | 'headers'
  | 'tokenFile'
  | 'tokenHeader'
  | 'basic'
  | 'certFile'
  | 'keyFile'
  | 'caFile'
  | 'timeoutSeconds'
  | 'lookupsPerSecond'
>

/** Look-ups that run side by side, and the reading of all devices beside them. */
const connections = 8

/**
 * Redirects are not followed: our credentials are for the host that the config names.
 * @throws the file system's error where a certificate cannot be read
 */
export function createHttpClient(config: HttpClientConfig): HttpClient {
  const timeoutMs = config.timeoutSeconds * 1000
  const agent = new Agent({
    connections,
    pipelining: 1,
    allowH2: false,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    connect: {
      timeout: timeoutMs,
      ...(config.caFile === undefined ? undefined : { ca: readFileSync(config.caFile) }),
      ...(config.certFile === undefined ? undefined : { cert: readFileSync(config.certFile) }),
      ...(config.keyFile === undefined ? undefined : { key: readFileSync(config.keyFile) }),
    },
  })

  return {
    async get(url, maxBytes, signal) {
      const { origin, pathname, search } = new URL(url)
      const headers = await headersOf(config)
      const deadline = AbortSignal.timeout(timeoutMs)
      try {
        const response = await agent.request({
          origin,
          path: pathname + search,
          method: 'GET',
          headers,
          signal: AbortSignal.any([signal, deadline]),
        })
        if (response.statusCode !== 200) {
          await response.body.dump()
          throw statusError(origin, response.statusCode, one(response.headers['retry-after']))
        }
        const text = decodeUtf8(await readBody(response.body, origin, maxBytes))
        return { json: parsedJson(text, origin), link: one(response.headers['link']) ?? '' }
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof HttpError) throw error
        const reason = deadline.aborted ? `no answer within ${config.timeoutSeconds} s` : reasonOf(error)
        throw new HttpError('HTTP_UNREACHABLE', `${origin} cannot be reached: ${reason}`, { cause: error })
      }
    },
    close: () => agent.destroy(),
  }
}

/** Token and password are read each time: who changes them need not restart anything. */
async function headersOf(config: HttpClientConfig): Promise<Record<string, string>> {
  const { headers, tokenFile, tokenHeader, basic } = config
  const made: Record<string, string> = { accept: 'application/json', ...headers }
  if (tokenFile !== undefined) {
    const token = await readSecret(tokenFile)
    if (tokenHeader === undefined) made['authorization'] = `Bearer ${token}`
    else made[tokenHeader] = token
  }
  if (basic !== undefined) {
    const password = await readSecret(basic.passwordFile)
    made['authorization'] = `Basic ${Buffer.from(`${basic.user}:${password}`).toString('base64')}`
  }
  return made
}

async function readSecret(file: string): Promise<string> {
  let text: string
  try {
    text = (await readFile(file, 'utf8')).trim()
  } catch (cause) {
    throw new HttpError('HTTP_CREDENTIAL_UNREADABLE', `${file} cannot be read: ${reasonOf(cause)}`, { cause })
  }
  if (/^[\x20-\x7e]+$/.test(text)) return text
  throw new HttpError(
    'HTTP_CREDENTIAL_UNREADABLE',
    `${file}: expected one line of printable ASCII characters`,
  )
}

function statusError(origin: string, status: number, retryAfter: string | undefined): HttpError {
  const retryAfterMs = retryAfterOf(retryAfter)
  if (status === 429 || (status === 503 && retryAfterMs !== undefined)) {
    return new HttpError('HTTP_THROTTLED', `${origin} is asked too much`, { retryAfterMs })
  }
  if (status >= 500) return new HttpError('HTTP_UNAVAILABLE', `${origin} answered ${status}`)
  switch (status) {
    case 401:
    case 403:
      return new HttpError(
        'HTTP_UNAUTHORIZED',
        `${origin} answered ${status}: check the token, password or certificate that the config names, and what it may read`,
      )
    case 404:
      return new HttpError('HTTP_NOT_FOUND', `${origin} answered 404`)
    default:
      return new HttpError('HTTP_REFUSED', `${origin} answered ${status}`)
  }
}

/** Seconds or a date; undefined where it is neither. */
function retryAfterOf(value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const ms = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}

async function readBody(body: AsyncIterable<Buffer>, origin: string, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > maxBytes) {
      throw new HttpError('HTTP_BAD_ANSWER', `an answer of ${origin} is larger than ${maxBytes} bytes`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function parsedJson(text: string | undefined, origin: string): unknown {
  try {
    if (text !== undefined) return JSON.parse(text)
  } catch {
    // told below, without the text: it may hold what is nobody's business
  }
  throw new HttpError('HTTP_BAD_ANSWER', `an answer of ${origin} is no whole JSON in UTF-8`)
}

function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value
}
