import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { PushSourceConfig } from '#config/sources.ts'
import { ConfigError } from '#config/yaml.ts'
import type { FactsSource, SourceEvent, SourceStatus } from '#directory/facts-source.ts'
import type { Store } from '#directory/store.ts'
import type { Logger } from '#telemetry/log.ts'
import {
  createPushListener,
  maxPushBytes,
  type PushAnswer,
  type PushListener,
  type PushRequest,
} from './push-listener.ts'
import { readPushMessage, type PushMessage } from './push-message.ts'
import { createRefusals, type Refusal } from './refusals.ts'
import {
  claimedSignature,
  isSignedBy,
  readSecrets,
  signatureHeader,
  timestampHeader,
  type SignedMessage,
} from './signature.ts'

/** A source that listens; it is closed apart from the others. */
export interface PushSource extends FactsSource {
  readonly listener: PushListener
}

export interface PushSourceOptions {
  readonly name: string
  readonly config: PushSourceConfig
  /** Of `config.address`. */
  readonly host: string
  readonly port: number
  readonly store: Pick<Store, 'isPushTaken' | 'takePush' | 'setSourceComplete' | 'currentRevision' | 'audit'>
  /** Resolves once every worker decides by all that is committed. */
  readonly enforced: () => Promise<void>
  readonly log: Pick<Logger, 'warn' | 'error'>
  readonly onEvent: (event: SourceEvent) => void
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** A message is good for so long after it was signed, and as long before it: clocks differ. */
const windowMs = 300_000
/** That a push came is noted at most this often. */
const completeIntervalMs = 10_000

/** What an unsigned, late, wrongly signed or replayed push is told: the same of all, so that nobody learns from it. */
const unauthorized: PushAnswer = { status: 401, json: { title: 'Unauthorized', status: 401 } }

/**
 * Facts as signed webhooks bring them. A message counts once, within five minutes of its signing, and never against a
 * newer one; it is answered when it is on disk and in force on every worker. Nothing is ever asked of the MDM, so its
 * absences prove nothing until it has sent a first message, which may be empty.
 *
 * @throws {ConfigError} where the file of the secrets cannot be read or holds none that is good
 */
export function createPushSource(options: PushSourceOptions): PushSource {
  const { name, config, host, port, store, enforced, log, onEvent, now } = options
  const { hmacSecretFile } = config
  checkSecrets(hmacSecretFile)
  const refusals = createRefusals({ name, log, now: () => performance.now() })
  /** Signatures of messages that are being taken. */
  const underWay = new Set<string>()
  /** Pushes are taken one after the other. */
  let last: Promise<unknown> = Promise.resolve()
  let status: SourceStatus = { records: 0, faults: 0 }
  let completeNotedAt = Number.NEGATIVE_INFINITY

  function refuse(address: string, refusal: Refusal): PushAnswer {
    refusals.note(address, refusal)
    onEvent('push-refused')
    return unauthorized
  }

  function fail(error: string): void {
    onEvent('failed')
    // whoever sends anything can come as far as the file of the secrets
    if (status.error !== error) log.error({ source: name, reason: error }, 'a push could not be taken')
    status = { ...status, error }
  }

  async function answer(request: PushRequest): Promise<PushAnswer> {
    try {
      return await judge(request)
    } catch (error) {
      fail(error instanceof Error ? error.message : String(error))
      return problem(503, 'Service Unavailable', 'the message was not taken; it may be sent again')
    }
  }

  async function judge({ address, header, body: readBody }: PushRequest): Promise<PushAnswer> {
    if (refusals.isLimited(address)) return problem(429, 'Too Many Requests')
    const claimed = claimedSignature(header(timestampHeader), header(signatureHeader))
    if (claimed === undefined) return refuse(address, 'unsigned')
    if (Math.abs(claimed.signedAt - now()) > windowMs) return refuse(address, 'out-of-time')
    const body = await readBody()
    if (body === 'too-large') {
      return problem(413, 'Content Too Large', `at most ${maxPushBytes} bytes are taken`)
    }
    if (body === 'broken-off') return problem(400, 'Bad Request')
    const secrets = readSecrets(await readFile(hmacSecretFile, 'utf8'))
    if (secrets === undefined) throw new Error(`${hmacSecretFile}: ${expectedSecrets}`)
    if (!isSignedBy(secrets, claimed, body)) return refuse(address, 'wrong-signature')
    const { signature } = claimed
    if (underWay.has(signature) || store.isPushTaken(name, claimed)) return refuse(address, 'replayed')
    underWay.add(signature)
    try {
      const message = await readPushMessage(body)
      if ('errors' in message) {
        onEvent('push-refused')
        return { status: 400, json: { title: 'Bad Request', status: 400, ...message } }
      }
      const taking = last.then(() => take(claimed, message))
      last = taking.catch(() => undefined)
      const taken = await taking
      await enforced()
      return { status: 200, json: taken }
    } finally {
      underWay.delete(signature)
    }
  }

  async function take({ signature, signedAt }: SignedMessage, { records, removed }: PushMessage) {
    const { changes, outdated } = await store.takePush(name, { signature, signedAt, records, removed })
    const at = now()
    const counts = { records: records.length, removed: removed.length, changed: changes.length, outdated }
    // a push that only confirms, perhaps every few minutes, is no event
    if (changes.length > 0) store.audit({ at, actor: name, event: 'facts-pushed', detail: counts })
    if (at - completeNotedAt >= completeIntervalMs) {
      store.setSourceComplete(name)
      completeNotedAt = at
    }
    status = { records: records.length, faults: 0, lastCompleteAt: at }
    onEvent('pushed')
    return { ...counts, revision: store.currentRevision() }
  }

  return {
    name,
    listener: createPushListener({ config, host, port, answer }),
    // the listener is opened when the workers are there
    start: async () => undefined,
    status: () => status,
  }
}

const expectedSecrets = 'expected 1 to 8 secrets of at least 32 printable ASCII characters, one a line'

function checkSecrets(file: string): void {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw secretFault(file, `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
  if (readSecrets(text) === undefined) throw secretFault(file, expectedSecrets)
}

function secretFault(file: string, message: string): ConfigError {
  return new ConfigError([{ file, line: 0, path: 'sources.hmacSecretFile', message }])
}

function problem(status: PushAnswer['status'], title: string, detail?: string): PushAnswer {
  return { status, json: { title, status, detail } }
}
