import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { newId, type Answer } from './answers.ts'
import { control } from './control.ts'
import type { FaultKind } from './faults.ts'
import { createGraph, type Graph, type GraphRequest } from './graph.ts'
import { createRequests, type RequestRecord, type Requests } from './requests.ts'
import type { RouteName, Scenario } from './scenario.ts'

/** Where the double listens. */
export interface Listening {
  /** Of Entra and Graph, without a slash at the end. */
  readonly url: string
  /** Of the control endpoint, with its random prefix. */
  readonly controlUrl: string
}

/** Serves a scenario on a free port of this machine, as long as the process lives. */
export async function serve(scenario: Scenario): Promise<Listening> {
  const graph = createGraph(scenario)
  const requests = createRequests()
  const gate = createGate()
  const prefix = `/${randomBytes(8).toString('hex')}/control`
  const toldUntilMs = new Map<string, number>()
  let url = ''

  const server = createServer({ keepAliveTimeout: 60_000 }, (req, res) => {
    const { path } = splitUrl(req)
    const answering = path.startsWith(`${prefix}/`)
      ? answerControl({ graph, requests, release: gate.open }, req, res, prefix.length)
      : answerGraph(req, res)
    answering.catch((error: unknown) => {
      process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
      res.destroy()
    })
  })

  async function answerGraph(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { method = '' } = req
    const { path, search } = splitUrl(req)
    const route = graph.routeOf(method, path)
    const service = serviceOf(route, path)
    const record = arrive(requests, req, route, (toldUntilMs.get(service) ?? 0) - earlyMs > graph.nowMs())
    res.once('close', () => requests.answered(record, 0))
    const fault = graph.nextFault(route)
    const request: GraphRequest = {
      method,
      path,
      search,
      headers: req.headers,
      body: await textOf(req),
      requestId: newId(),
    }
    const { latencyMs } = graph.behaviour()
    const waitMs = latencyMs + (fault?.kind === 'latency' ? fault.latencyMs : 0)
    if (waitMs > 0) await delay(waitMs)
    if (fault?.kind === 'hang') await gate.passed()
    const answer = fault?.kind === 'status' ? graph.failure(fault, request) : graph.answer(request, url)
    const retryAfter = answer.headers['retry-after']
    if (retryAfter !== undefined) toldUntilMs.set(service, graph.nowMs() + Number(retryAfter) * 1000)
    res.once('finish', () => requests.answered(record, res.statusCode))
    send(res, answer, fault, {
      'request-id': request.requestId,
      'client-request-id': clientIdOf(req, request),
    })
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url, controlUrl: url + prefix }
}

/** Timers end a little early; that is no impatience. */
const earlyMs = 20

/** Calls that wait here go on when it is opened. */
function createGate(): { readonly passed: () => Promise<void>; readonly open: () => void } {
  let opened = Promise.withResolvers<void>()
  return {
    passed: () => opened.promise,
    open: () => {
      opened.resolve()
      opened = Promise.withResolvers()
    },
  }
}

function splitUrl({ url = '/' }: IncomingMessage): { readonly path: string; readonly search: string } {
  const at = url.indexOf('?')
  return at === -1 ? { path: url, search: '' } : { path: url.slice(0, at), search: url.slice(at + 1) }
}

function arrive(
  requests: Requests,
  req: IncomingMessage,
  route: RouteName,
  tooEarly: boolean,
): RequestRecord {
  const { path, search } = splitUrl(req)
  const priority = req.headers['x-ms-throttle-priority']
  return requests.arrive({
    route,
    method: req.method ?? '',
    path,
    query: search,
    ...(typeof priority === 'string' ? { priority } : undefined),
    tooEarly,
  })
}

/** Who told a client to wait: Entra, Intune or the directory. */
function serviceOf(route: RouteName, path: string): string {
  if (route === 'token') return route
  return path.includes('/deviceManagement/') || route === 'userManagedDevices' ? 'intune' : 'directory'
}

function clientIdOf(req: IncomingMessage, { requestId }: GraphRequest): string {
  const given = req.headers['client-request-id']
  return typeof given === 'string' ? given : requestId
}

/** Sends the answer, or what the fault leaves of it. */
function send(
  res: ServerResponse,
  { status, headers, body }: Answer,
  fault: FaultKind | undefined,
  ids: Readonly<Record<string, string>>,
): void {
  if (fault?.kind === 'cut') {
    if (fault.where === 'head') {
      res.destroy()
      return
    }
    // the half must have left before the connection breaks
    res.writeHead(status, { ...headers, ...ids }).write(halfOf(body), () => res.destroy())
    return
  }
  if (fault?.kind === 'html') {
    res.writeHead(200, { 'content-type': 'text/html', ...ids })
    res.end('<!doctype html><title>Sign in</title><p>Your network asks you to sign in.</p>')
    return
  }
  res.writeHead(status, { ...headers, ...ids }).end(fault?.kind === 'truncated' ? halfOf(body) : body)
}

function halfOf(body: string): string {
  return body.slice(0, Math.floor(body.length / 2))
}

async function textOf(req: IncomingMessage): Promise<string> {
  if (req.method === 'GET') return ''
  return Buffer.concat(await Array.fromAsync(req as AsyncIterable<Buffer>)).toString()
}

async function answerControl(
  controlled: { readonly graph: Graph; readonly requests: Requests; readonly release: () => void },
  req: IncomingMessage,
  res: ServerResponse,
  prefixLength: number,
): Promise<void> {
  const { path, search } = splitUrl(req)
  const text = await textOf(req)
  let status = 200
  let answer: unknown
  try {
    const call = {
      method: req.method ?? '',
      path: path.slice(prefixLength),
      search: new URLSearchParams(search),
      body: text === '' ? undefined : (JSON.parse(text) as unknown),
    }
    answer = await control(controlled, call, (gone) => res.once('close', gone))
  } catch (error) {
    status = 400
    answer = { error: error instanceof Error ? error.message : String(error) }
  }
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
}
