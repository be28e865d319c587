import type { HttpSourceConfig } from '#config/sources.ts'
import type { FactsSource, SourceEvent, SourceStatus } from '#directory/facts-source.ts'
import { clientText, type Logger } from '#telemetry/log.ts'
import { systemClock, type Clock } from '../clock.ts'
import { repeat } from '../repeat.ts'
import { parseFieldPath } from './field-path.ts'
import { createHttpClient } from './http-client.ts'
import type { HttpContext, HttpStore } from './http-context.ts'
import { meaningOf, reasonOf } from './http-error.ts'
import { lookUpDevice } from './look-up.ts'
import { createMdm } from './mdm.ts'
import { readAll } from './read-all.ts'
import { createRecordReader, type FaultyRecord, type OnUnknownWord } from './read-record.ts'

export interface HttpSourceOptions {
  readonly name: string
  readonly config: HttpSourceConfig
  readonly store: HttpStore
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>
  /** Told how each reading and each look-up ended. */
  readonly onEvent: (event: SourceEvent) => void
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly clock?: Clock
  /** From 0 to 1. */
  readonly random?: () => number
}

/** Records of one reading, and words, that are told in the log. */
const maxTold = 100

/**
 * Any MDM that answers JSON: all devices from time to time where it has a list, one device when a refused one comes back
 * where it has a look-up.
 */
export function createHttpSource(options: HttpSourceOptions): FactsSource {
  const { name, config, store, log, onEvent, now, clock = systemClock, random = Math.random } = options
  const client = createHttpClient(config)
  const records = parseFieldPath(config.records)
  const context: HttpContext = {
    name,
    config,
    records,
    lookupRecords: config.lookupRecords === undefined ? records : parseFieldPath(config.lookupRecords),
    nextPath: config.nextPath === undefined ? undefined : parseFieldPath(config.nextPath),
    readRecord: createRecordReader(config.mapping, tellOnce(name, log)),
    store,
    mdm: createMdm({ config, client, clock, random }),
    log,
  }
  let status: SourceStatus = { records: 0, faults: 0 }
  let readError: string | undefined
  let lookUpError: string | undefined
  let reading: Promise<void> | undefined
  let stop: AbortSignal | undefined

  function withoutProgress(): SourceStatus {
    const { progress: _, ...rest } = status
    return rest
  }

  function onProgress(read: number): void {
    status = { ...status, progress: { records: read } }
  }

  async function read(url: string, signal: AbortSignal): Promise<void> {
    let told = 0
    const onFaulty = ({ recordId, faults }: FaultyRecord) => {
      if (++told <= maxTold) log.warn({ source: name, recordId, faults }, 'a record is not taken')
    }
    const startedAt = now()
    try {
      const { error, ...counts } = await readAll(context, url, { onProgress, onFaulty, signal })
      readError = error
      lookUpError = undefined
      status = { ...withoutProgress(), ...counts }
      if (error === undefined) status = { ...status, lastCompleteAt: startedAt }
      onEvent(error === undefined ? 'complete' : 'partial')
      log.info({ source: name, ...counts }, 'devices read')
    } catch (error) {
      status = withoutProgress()
      if (!signal.aborted) {
        onEvent('failed')
        tellStore(error)
      }
      throw error
    }
  }

  /** One reading at a time. */
  async function readInTurn(url: string, signal: AbortSignal): Promise<void> {
    const before = reading
    const run = (async () => {
      await before?.catch(() => undefined)
      signal.throwIfAborted()
      await read(url, signal)
    })()
    reading = run
    return run
  }

  function tellStore(error: unknown): void {
    readError = reasonOf(error)
    try {
      store.setSourceFailed(name, readError)
    } catch {
      // the store itself is in trouble, and says so to whoever writes to it; the status stands
    }
  }

  async function start(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    signal.addEventListener('abort', () => void client.close())
    const { bulkUrl, interval: intervalMs } = config
    stop = signal
    if (bulkUrl === undefined) {
      // an absence is proved by the look-up that a refusal waits for
      store.setSourceComplete(name)
      return
    }
    await repeat(() => readInTurn(bulkUrl, signal), {
      intervalMs,
      signal,
      clock,
      random,
      onFailure: (error) =>
        log.error({ source: name, reason: reasonOf(error) }, 'the devices of the MDM cannot be read'),
    })
  }

  async function refresh(user: string, deviceId: string, signal: AbortSignal): Promise<void> {
    try {
      const found = await lookUpDevice(context, user.toLowerCase(), deviceId, signal)
      if (found === 'absent') store.remove(user, deviceId, name)
      else if (found === 'foreign') {
        log.warn(
          { source: name, user: clientText(user), deviceId },
          'a look-up was answered with records of others',
        )
      }
      lookUpError = undefined
      onEvent('looked-up')
    } catch (error) {
      const meaning = meaningOf(error)
      // a look-up that was not made tells nothing of the MDM
      if (meaning !== 'nothing') onEvent('look-up-failed')
      if (meaning === 'outage') lookUpError = reasonOf(error)
      throw error
    }
  }

  async function readAgain(): Promise<void> {
    if (config.bulkUrl === undefined || stop === undefined) return
    // what went wrong is told by the reading itself
    await readInTurn(config.bulkUrl, stop).catch(() => undefined)
  }

  return {
    name,
    start,
    readAgain,
    isAskedOnly: config.bulkUrl === undefined,
    ...(config.lookupUrl === undefined ? undefined : { refresh }),
    status: () => {
      const error = readError ?? lookUpError
      return error === undefined ? status : { ...status, error }
    },
  }
}

/** Tells of each word once, of so many at most: a mapping that lacks one lacks it in every record. */
function tellOnce(name: string, log: Pick<Logger, 'warn'>): OnUnknownWord {
  const told = new Set<string>()
  return (field, word) => {
    const key = JSON.stringify([field, word])
    if (told.has(key) || told.size === maxTold) return
    told.add(key)
    log.warn({ source: name, field, word: clientText(word) }, 'the mapping does not have this word')
  }
}
