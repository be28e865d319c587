import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import type { Test } from 'tap'
import { request as ask } from 'undici'
import { deviceKey } from '#eas/device-id.ts'
import type { DeviceInformation } from '#eas/device-information.ts'
import { parseRequest } from '#eas/parse.ts'
import { answerAfterRelease } from '#quarantine/after-release.ts'
import type { Answer, Park } from '#quarantine/answer.ts'
import { answerQuarantined } from '#quarantine/answer-quarantined.ts'
import type { Notice } from '#quarantine/mailbox.ts'
import { notice } from './quarantine.ts'

/** One node before an Exchange, as small as it can be: a device is quarantined or let in, and one request may wait. */
export interface QuarantineServer {
  readonly url: string
  /** `Sync quarantined`, `FolderSync forwarded`, `FolderSync resynced`, in the order of arrival. */
  readonly log: string[]
  readonly heard: DeviceInformation[]
  /** Resolves once a request waits. */
  readonly whenParked: () => Promise<void>
  /** Ends what waits. */
  readonly release: () => void
  readonly quarantine: () => void
  /** Tells what waits of another message. */
  readonly change: (notice: Notice) => void
  /** Ends what waits as if its time were over. */
  readonly timeOut: () => void
}

/** Starts a node. Nodes with one signing key are one fleet; none keeps anything of what it answered. */
export async function quarantineServer(
  t: Test,
  upstream: string,
  signingKey: Uint8Array,
): Promise<QuarantineServer> {
  let quarantined = true
  let current = notice
  let parked: { readonly park: Park; readonly answer: (answer: Answer) => void } | undefined
  let onParked: (() => void) | undefined
  const log: string[] = []
  const heard: DeviceInformation[] = []
  const mailboxOf = (deviceId: string) => ({
    user: 'alice@example.com',
    deviceKey: deviceKey(deviceId),
    notice: current,
    signingKey,
    now: Date.now(),
  })

  const handle = async (req: IncomingMessage, res: ServerResponse) => {
    const body = await buffer(req)
    const { method = '', url: target = '', httpVersion, rawHeaders } = req
    const request = parseRequest({ method, target, httpVersion, rawHeaders })
    const send = ({ status, headers, body: bytes }: Answer) => {
      res.writeHead(status, [...headers, 'Content-Length', String(bytes.length)]).end(bytes)
    }
    if (!quarantined) {
      const resync = answerAfterRelease(request, body)
      log.push(`${request.command} ${resync === undefined ? 'forwarded' : 'resynced'}`)
      if (resync === undefined) await forward(upstream, req, res, body)
      else send(resync)
      return
    }
    log.push(`${request.command} quarantined`)
    const answer = answerQuarantined(request, body, mailboxOf(request.deviceId ?? ''))
    if (answer.kind === 'answer') {
      if (answer.information !== undefined) heard.push(answer.information)
      send(answer)
    } else {
      parked = { park: answer, answer: send }
      onParked?.()
    }
  }

  const server = createServer((req, res) => void handle(req, res))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })

  const end = (choose: (park: Park) => Answer | undefined) => {
    const answer = parked && choose(parked.park)
    if (parked === undefined || answer === undefined) return
    parked.answer(answer)
    parked = undefined
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    log,
    heard,
    whenParked: () =>
      parked === undefined
        ? new Promise((resolve) => {
            onParked = resolve
          })
        : Promise.resolve(),
    release: () => {
      quarantined = false
      end(({ whenReleased }) => whenReleased)
    },
    quarantine: () => {
      quarantined = true
    },
    change: (other) => {
      current = other
      end(({ whenChanged }) => whenChanged(mailboxOf('PHONE1')))
    },
    timeOut: () => end(({ whenOver }) => whenOver),
  }
}

async function forward(
  upstream: string,
  req: IncomingMessage,
  res: ServerResponse,
  body: Buffer,
): Promise<void> {
  const { host: _host, connection: _connection, 'content-length': _length, ...headers } = req.headers
  const answer = await ask(`${upstream}${req.url ?? ''}`, { method: 'POST', headers, body })
  const bytes = Buffer.from(await answer.body.arrayBuffer())
  const type = String(answer.headers['content-type'])
  res.writeHead(answer.statusCode, { 'content-type': type, 'content-length': bytes.length }).end(bytes)
}
