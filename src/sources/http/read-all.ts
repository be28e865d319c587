import { allowedDrop } from '../allowed-drop.ts'
import { settleAbsences } from './absences.ts'
import { sortRecords, sourceDevice, type HttpContext } from './http-context.ts'
import { HttpError } from './http-error.ts'
import { pages } from './pages.ts'
import type { FaultyRecord } from './read-record.ts'

/** What a reading of all devices came to. */
export interface ReadAll {
  readonly records: number
  readonly faults: number
  /** Devices that no page listed, and that are kept because nothing else says that they are gone. */
  readonly kept: number
  /** Why they are kept, where that is worth an alarm. */
  readonly error?: string
}

export interface ReadAllDeps {
  /** Told after each page. */
  readonly onProgress: (records: number) => void
  /** Told of each record that cannot be taken. */
  readonly onFaulty: (record: FaultyRecord) => void
  readonly signal: AbortSignal
}

/** Absences that are looked into after one reading; the others wait for the next. */
const maxAbsences = 2000

/**
 * Reads all devices, page by page, in bounded memory. A device that is not listed is not gone for that: where there is a
 * look-up it is asked for by itself; else a list in pages, which can lose a device from one page to the next, is read
 * once more. A list that lacks far too many is not believed at all. T-56
 *
 * @param url of the first page
 * @throws {HttpError}; the signal's reason
 */
export async function readAll(context: HttpContext, url: string, deps: ReadAllDeps): Promise<ReadAll> {
  const { store, name, config, log } = context
  const { onProgress, onFaulty, signal } = deps
  const users = store.sweepDescribedUsers(name)
  const devices = store.sweepDevices(name)

  const get = (link: string) => context.mdm.page(link, signal)

  async function readPages(onRecord: (record: FaultyRecord) => void): Promise<Reading> {
    let [pageCount, records] = [0, 0]
    for await (const { items, stamp } of pages(url, context, get, () => store.currentRevision())) {
      const { taken, faulty } = await sortRecords(items, context.readRecord)
      faulty.forEach(onRecord)
      await users.add(
        taken.map(({ record: { user, aliases = [], groups = [] } }) => ({ user, aliases, groups })),
      )
      await devices.add(taken.map(sourceDevice), stamp)
      pageCount++
      records += items.length
      onProgress(records)
    }
    return { pageCount, records }
  }

  const faultyIds = new Set<string | undefined>()
  let faults = 0
  const { pageCount, records } = await readPages((record) => {
    faults++
    faultyIds.add(record.recordId)
    onFaulty(record)
  })
  if (devices.listed === 0 && records > 0) {
    throw new HttpError('HTTP_BAD_ANSWER', `none of ${records} records can be taken: check the mapping`)
  }
  let unlisted = await devices.unlisted(maxAbsences)
  if (isTooMany(unlisted, config.maxDrop)) {
    const error = dropText(unlisted)
    log.error({ source: name, missing: unlisted.count, known: unlisted.known }, error)
    await devices.finish({ outcome: 'partial', faults, error })
    return { records, faults, kept: unlisted.count, error }
  }
  if (unlisted.count > 0 && pageCount > 1 && config.lookupUrl === undefined) {
    await readPages(() => undefined)
    unlisted = await devices.unlisted(maxAbsences)
  }
  const kept = await settleAbsences(context, { devices, users, unlisted, faultyIds, signal })
  await devices.finish({ outcome: 'complete', faults })
  return { records, faults, kept }
}

interface Reading {
  readonly pageCount: number
  readonly records: number
}

interface Missing {
  readonly known: number
  readonly count: number
}

/** A list without any of them is never believed, however few they are. */
function isTooMany({ known, count }: Missing, maxDrop: number): boolean {
  return count > 0 && (count === known || count > allowedDrop(known, maxDrop))
}

function dropText({ known, count }: Missing): string {
  return (
    `the MDM lists ${count} of ${known} devices no longer; they are kept as they were. ` +
    'If they are gone indeed, raise maxDrop of this source'
  )
}
