import { fstatSync, write, writeSync } from 'node:fs'

/** Lines on their way to a file descriptor that several processes share. */
export interface LineWriter {
  /** Takes one line with its line break. Never throws, and waits for nothing but a disk. */
  readonly write: (line: string) => void
  /** Writes what waits before it returns, or gives up after two seconds. For the end of the process. */
  readonly flush: () => void
}

/**
 * A pipe keeps only writes up to this length (PIPE_BUF of Linux) in one piece when its reader is slow: longer ones
 * would put half a line of one process into a line of another. T-59
 */
const maxPipeChunkBytes = 4096
/** A file takes a chunk of any length in one piece. */
const maxFileChunkBytes = 65_536
const flushAfterMs = 100
const retryMs = 20
const giveUpMs = 2000
/** What waits for a reader that does not read; the lines after it are dropped, so that memory stays bounded. T-51 */
const maxWaitingBytes = 16_777_216

/**
 * Writes in chunks of whole lines, to a pipe in the background. A slow reader delays the lines, never the process; a
 * disk that is full costs the lines, never the process.
 * @param onDropped told how many lines were lost, once there is room again
 */
export function createLineWriter(fd: number, onDropped: (lines: number) => void): LineWriter {
  const isFile = fstatSync(fd).isFile()
  const maxChunkBytes = isFile ? maxFileChunkBytes : maxPipeChunkBytes
  /** Whole lines, ready to be written. */
  const chunks: Buffer[] = []
  /** Lines that make the next chunk. */
  let open = ''
  let openBytes = 0
  let waitingBytes = 0
  let dropped = 0
  let isWriting = false
  let timer: NodeJS.Timeout | undefined

  const closeChunk = () => {
    clearTimeout(timer)
    timer = undefined
    if (openBytes > 0) chunks.push(Buffer.from(open))
    open = ''
    openBytes = 0
  }

  /** Takes what was written off the first chunk. */
  const settle = (chunk: Buffer, written: number) => {
    waitingBytes -= written
    if (written < chunk.length) chunks[0] = chunk.subarray(written)
    else chunks.shift()
  }

  const tellDropped = () => {
    if (dropped === 0 || chunks.length > 0) return
    const lines = dropped
    dropped = 0
    onDropped(lines)
  }

  const drop = (chunk: Buffer) => {
    dropped += chunk.toString('latin1').split('\n').length - 1
    settle(chunk, chunk.length)
  }

  // A file takes what it is given at once, and a turn of another thread for each chunk costs more than the write; in
  // the background the lines would fall behind a saturated worker.
  const writeToFile = () => {
    for (let [chunk] = chunks; chunk !== undefined; [chunk] = chunks) {
      try {
        settle(chunk, writeSync(fd, chunk))
        tellDropped()
      } catch {
        // the disk is full: it is told once there is room again
        drop(chunk)
      }
    }
  }

  const writeNext = () => {
    if (isFile) {
      writeToFile()
      return
    }
    const [chunk] = chunks
    if (isWriting || chunk === undefined) return
    isWriting = true
    write(fd, chunk, (error, written) => {
      isWriting = false
      if (isBusy(error)) {
        setTimeout(writeNext, retryMs).unref()
        return
      }
      if (error === null) {
        settle(chunk, written)
        tellDropped()
      } else {
        // the disk is full or the reader is gone: there is nobody to be told now
        drop(chunk)
      }
      writeNext()
    })
  }

  return {
    write: (line) => {
      const bytes = Buffer.byteLength(line)
      if (waitingBytes + bytes > maxWaitingBytes) {
        dropped++
        return
      }
      if (openBytes + bytes > maxChunkBytes) {
        closeChunk()
        writeNext()
      }
      open += line
      openBytes += bytes
      waitingBytes += bytes
      timer ??= setTimeout(() => {
        closeChunk()
        writeNext()
      }, flushAfterMs).unref()
    },

    flush: () => {
      closeChunk()
      // what is being written is out of our hands: written again, it would stand twice
      if (isWriting) chunks.shift()
      const giveUpAt = performance.now() + giveUpMs
      for (let [chunk] = chunks; chunk !== undefined; [chunk] = chunks) {
        try {
          settle(chunk, writeSync(fd, chunk))
        } catch (error) {
          if (!isBusy(error) || performance.now() > giveUpAt) return
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, retryMs)
        }
      }
    },
  }
}

/** The pipe is full: its reader is slow. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN'
}
