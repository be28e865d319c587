import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** What the bench asks of the client's process; each is answered once. Bytes are base64, for IPC. */
export type PingOrder =
  /** Opens a connection for each request, and sends it. */
  | { readonly kind: 'open'; readonly port: number; readonly requests: readonly string[] }
  /** Sends another request on each connection, in the same order. */
  | { readonly kind: 'send'; readonly requests: readonly string[] }
  /** Waits for so many answers with this body, from those that were not told yet. */
  | { readonly kind: 'await'; readonly count: number; readonly body: string }

export interface PingAnswers {
  /** When each came, ms since the epoch, in order; empty unless they were awaited. */
  readonly at: readonly number[]
  /** Answers that had another body. */
  readonly wrong: number
}

const atOnce = 200
const pauseMs = 50
const headEnd = '\r\n\r\n'

const sockets: Socket[] = []
const answers: { readonly at: number; readonly body: string }[] = []
let onAnswer: () => void = () => undefined

process.on('message', (order: PingOrder) => {
  void obey(order).then((found) => process.send?.(found))
})
// without the bench nobody would end it
process.once('disconnect', () => process.exit())

async function obey(order: PingOrder): Promise<PingAnswers> {
  const nothing = { at: [], wrong: 0 }
  switch (order.kind) {
    case 'open':
      for (let from = 0; from < order.requests.length; from += atOnce) {
        await Promise.all(order.requests.slice(from, from + atOnce).map((bytes) => open(order.port, bytes)))
      }
      return nothing
    case 'send':
      for (const [index, bytes] of order.requests.entries()) {
        // all at once they would overflow the queue of new connections at the upstream
        if (index > 0 && index % atOnce === 0) await delay(pauseMs)
        sockets[index]?.write(Buffer.from(bytes, 'base64'))
      }
      return nothing
    case 'await': {
      while (answers.length < order.count) {
        await new Promise<void>((resolve) => {
          onAnswer = resolve
        })
      }
      const told = answers.splice(0, order.count)
      const expected = Buffer.from(order.body, 'base64').toString('latin1')
      return { at: told.map(({ at }) => at), wrong: told.filter(({ body }) => body !== expected).length }
    }
  }
}

function open(port: number, request: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(Buffer.from(request, 'base64'))
      sockets.push(socket)
      resolve()
    })
    socket.on('error', reject)
    // an answer of a Ping is one packet
    socket.on('data', (bytes) => {
      const text = bytes.toString('latin1')
      const body = text.slice(text.indexOf(headEnd) + headEnd.length)
      answers.push({ at: performance.timeOrigin + performance.now(), body })
      onAnswer()
    })
  })
}
