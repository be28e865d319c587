import type { ServerResponse } from 'node:http'
import type { Config } from '#config/schema.ts'
import { EasError } from '#eas/errors.ts'
import { decodeUtf8 } from '#eas/text.ts'
import type { RouteHandler } from '../act.ts'
import { ask, type AskResult, type Question } from '../ask.ts'
import { autodiscoverXmlPath, rewriteJsonAnswer, rewriteXmlAnswer } from './autodiscover-answer.ts'
import { autodiscoverRequest, readAutodiscoverRequest } from './autodiscover-request.ts'
import { takeBody } from '../body.ts'
import { passableChallenges } from '../challenges.ts'
import type { ActResult, Exchange, Judged } from '../exchange.ts'
import { forwardedHeaders, type PublicSide } from '../forwarded-headers.ts'
import { send, sendChallenges, sendUnavailable } from '../respond.ts'
import type { Upstreams } from '../upstreams.ts'

/** `publicUrl` is what the answers name. */
export interface AutodiscoverDeps extends PublicSide {
  readonly upstreams: Upstreams
  readonly limits: Pick<Config['limits'], 'upstreamSeconds'>
}

/** A request is some 500 bytes, an answer some 2000. */
const maxRequestBytes = 65_536
const maxAnswerBytes = 262_144
const jsonPath = '/autodiscover/autodiscover.json'

/** The text for the client; undefined where the answer cannot be made one that keeps it inline. */
type Rewrite = (answer: string, publicUrl: string) => string | undefined

/** What differs between XML and JSON. */
interface DiscoveryForm {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers: readonly string[]
  readonly body: string | null
  readonly answerType: string
  readonly rewrite: Rewrite
}

/**
 * Autodiscover by XML and by JSON. What goes upstream is made anew from what was read; what comes back names only us.
 * T-27
 */
export function createAutodiscover(deps: AutodiscoverDeps): RouteHandler {
  return async function autodiscover(exchange, judged) {
    const { request, backend, user } = judged
    const form = request.kind === 'autodiscover-xml' ? await xmlForm(exchange, judged) : jsonForm(judged)
    const { authorization } = request.credentials
    const question: Question = {
      backend,
      user,
      method: form.method,
      path: form.path,
      headers: [
        ...passedHeaders(request.headers.forwarded),
        ...(authorization === undefined ? [] : ['Authorization', authorization]),
        ...forwardedHeaders(deps, exchange.peer, request.headers.forwardedFor),
        ...form.headers,
      ],
      body: form.body,
      answerTimeoutMs: deps.limits.upstreamSeconds * 1000,
      maxAnswerBytes,
    }
    const result = await ask(deps.upstreams, question, goneSignal(exchange.res))
    if (exchange.res.destroyed) return { status: 499 }
    return answer(exchange.res, form, result, deps.publicUrl())
  }
}

async function xmlForm({ req, res, expectsContinue }: Exchange, { request }: Judged): Promise<DiscoveryForm> {
  const limits = { bufferedBodyBytes: maxRequestBytes, maxBodyBytes: maxRequestBytes }
  if (expectsContinue && (request.headers.contentLength ?? 0) <= maxRequestBytes) res.writeContinue()
  const body = await takeBody(req, request.headers, limits)
  const bytes = body.kind === 'whole' ? body.bytes : await collect(body.stream)
  return {
    method: 'POST',
    path: autodiscoverXmlPath,
    headers: ['Content-Type', 'text/xml; charset=utf-8'],
    body: autodiscoverRequest(readAutodiscoverRequest(bytes)),
    answerType: 'text/xml; charset=utf-8',
    rewrite: rewriteXmlAnswer,
  }
}

/** A chunked body. Its length is metered on the way, so it ends within the limit. */
async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  try {
    return Buffer.concat(await Array.fromAsync(stream))
  } catch (error) {
    if (error instanceof EasError) throw error
    throw new EasError('EAS_BODY_TRUNCATED', 'the client stopped in the middle of its body')
  }
}

/** The parser let through known names, each once, and values of plain characters: they are given again, one spelling each. */
function jsonForm({ request }: Judged): DiscoveryForm {
  const parameters = (request.query ?? '').split('&').map((part): [string, string] => {
    const equals = part.indexOf('=')
    return [part.slice(0, equals).toLowerCase(), part.slice(equals + 1)]
  })
  const values = new Map(parameters)
  const protocol = values.get('protocol')?.toLowerCase() === 'activesync' ? 'ActiveSync' : 'AutodiscoverV1'
  const redirectCount = values.get('redirectcount')
  const email = encodeURIComponent(request.userParameter ?? '').replace('%40', '@')
  const redirects = redirectCount === undefined ? '' : `&RedirectCount=${redirectCount}`
  return {
    method: 'GET',
    path: `${jsonPath}?Email=${email}&Protocol=${protocol}${redirects}`,
    headers: [],
    body: null,
    answerType: 'application/json; charset=utf-8',
    rewrite: (text, publicUrl) => rewriteJsonAnswer(text, protocol, publicUrl),
  }
}

/** Made anew (Content-Type), or not wanted: the answer must be readable here, and no cookie has a use here. T-27 */
const remade = new Set(['accept-encoding', 'authorization', 'content-encoding', 'content-type', 'cookie'])

function passedHeaders(forwarded: readonly string[]): string[] {
  const passed: string[] = []
  for (let index = 0; index < forwarded.length; index += 2) {
    const [name = '', value = ''] = forwarded.slice(index, index + 2)
    if (!remade.has(name.toLowerCase())) passed.push(name, value)
  }
  return passed
}

function goneSignal(res: ServerResponse): AbortSignal {
  const gone = new AbortController()
  res.once('close', () => {
    if (!res.writableFinished) gone.abort()
  })
  return gone.signal
}

const unavailable = { action: 'unavailable', reason: 'upstream-unavailable' } as const

function answer(res: ServerResponse, form: DiscoveryForm, result: AskResult, publicUrl: string): ActResult {
  if (result.kind === 'unreachable') return { status: sendUnavailable(res), ...unavailable }
  const server = result.server.name
  if (result.kind === 'failed') {
    return { status: sendUnavailable(res, result.timedOut ? 504 : 502), ...unavailable, server }
  }
  const { status, headers, upstreamMs } = result
  const told = { server, upstreamMs, proved: status !== 401 }
  if (status === 401) {
    return { ...told, status: sendChallenges(res, passableChallenges(headers['www-authenticate'])) }
  }
  // a place elsewhere leads round the proxy, so it is as good as none
  if ((status >= 300 && status < 400) || status === 451) {
    return { ...told, ...unavailable, status: sendUnavailable(res) }
  }
  if (status >= 400) return { ...told, status: send(res, status, [], Buffer.alloc(0)) }
  const text = status === 200 ? decodeUtf8(result.body) : undefined
  const body = text === undefined ? undefined : form.rewrite(text, publicUrl)
  if (body === undefined) return { ...told, ...unavailable, status: sendUnavailable(res, 502) }
  return { ...told, status: send(res, status, ['Content-Type', form.answerType], Buffer.from(body)) }
}
