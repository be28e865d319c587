import { readFileSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { parseFactsFile } from './parse-facts-file.ts'
import type { FactsFilePart } from './read-facts-file.ts'

/** Small enough for the owner to take in one turn: about 2 ms. */
const partRows = 500

/** Reads the file named by `workerData`, and hands over one part for each message. */
const path = workerData as string
const bytes = readFileSync(path)
const { records, faults } = parseFactsFile(path, bytes)
const lineEnds: readonly (number | undefined)[] = [0x0a, 0x0d]
let sent = 0

parentPort?.on('message', () => {
  const end = sent + partRows
  const part: FactsFilePart = {
    records: records.slice(sent, end).map(({ record }) => record),
    faults: faults.slice(sent, end),
    hasLineEnd: lineEnds.includes(bytes.at(-1)),
    last: end >= records.length && end >= faults.length,
  }
  sent = end
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage(part)
})
