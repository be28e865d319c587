import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { FactsRecord } from '#directory/record.ts'
import type { RowFault } from '#directory/rows.ts'

/** Some rows of a file, on their way from the reading thread. */
export interface FactsFilePart {
  readonly records: readonly FactsRecord[]
  readonly faults: readonly RowFault[]
  readonly last: boolean
  readonly hasLineEnd: boolean
}

/** What a file held. */
export interface FactsFile {
  readonly records: readonly FactsRecord[]
  readonly faults: readonly RowFault[]
  /** True where its last line has an end. */
  readonly hasLineEnd: boolean
}

/**
 * Reads a facts file in a thread of its own and takes the rows part by part: 100,000 rows take over a second to
 * parse, and nothing may hold the owner's thread that long.
 *
 * @throws the file system's error where the file cannot be read; AbortError
 */
export async function readFactsFile(path: string, signal: AbortSignal): Promise<FactsFile> {
  const thread = new Worker(new URL('./facts-file-thread.ts', import.meta.url), { workerData: path })
  const records: FactsRecord[] = []
  const faults: RowFault[] = []
  try {
    for (;;) {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
      thread.postMessage('next')
      const [part] = (await once(thread, 'message', { signal })) as [FactsFilePart]
      records.push(...part.records)
      faults.push(...part.faults)
      if (part.last) return { records, faults, hasLineEnd: part.hasLineEnd }
    }
  } finally {
    await thread.terminate()
  }
}
