import type { Mailbox } from './mailbox.ts'

/** A Ping or Sync that waits. Kept in the device, so that a later request can end it. */
export interface Hold {
  readonly command: 'Ping' | 'Sync'
  readonly folderIds: ReadonlySet<string>
  supersede(): void
}

/** How many requests wait at this server, so that a test can await a number in place of sleeping. */
export class ParkedCount {
  #count = 0
  readonly #awaited = new Set<{ readonly count: number; readonly resolve: () => void }>()

  get count(): number {
    return this.#count
  }

  change(by: 1 | -1): void {
    this.#count += by
    for (const awaited of this.#awaited) {
      if (awaited.count !== this.#count) continue
      this.#awaited.delete(awaited)
      awaited.resolve()
    }
  }

  /** Resolves once exactly that many wait. */
  reached(count: number): Promise<void> {
    if (count === this.#count) return Promise.resolve()
    return new Promise((resolve) => {
      this.#awaited.add({ count, resolve })
    })
  }
}

/** Why a wait ended. `gone`: the client went away and nobody reads an answer. */
export type HoldEnd = 'changed' | 'timeout' | 'superseded' | 'gone'

/** What to wait for. */
export interface HoldRequest {
  readonly command: 'Ping' | 'Sync'
  readonly mailbox: Mailbox
  readonly holds: Set<Hold>
  readonly parked: ParkedCount
  readonly folderIds: ReadonlySet<string>
  readonly timeoutMs: number
  readonly gone: AbortSignal
}

/** Waits until something changes in one of the folders, the time is over, or the wait is ended from outside. */
export function hold(request: HoldRequest): Promise<HoldEnd> {
  return new Promise((resolve) => {
    const end = (cause: HoldEnd): void => {
      clearTimeout(timer)
      unwatch()
      request.gone.removeEventListener('abort', onGone)
      request.holds.delete(waiting)
      request.parked.change(-1)
      resolve(cause)
    }
    const onGone = (): void => end('gone')
    const waiting: Hold = {
      command: request.command,
      folderIds: request.folderIds,
      supersede: () => end('superseded'),
    }
    const timer = setTimeout(() => end('timeout'), request.timeoutMs)
    const unwatch = request.mailbox.watch((folderId) => {
      if (request.folderIds.has(folderId)) end('changed')
    })
    request.holds.add(waiting)
    request.parked.change(1)
    request.gone.addEventListener('abort', onGone)
    if (request.gone.aborted) end('gone')
  })
}

/** Ends the waiting requests of the same command that share a folder: a client that asks again has left the first. */
export function supersede(holds: Set<Hold>, command: 'Ping' | 'Sync', folderIds: ReadonlySet<string>): void {
  for (const waiting of holds) {
    if (waiting.command === command && !waiting.folderIds.isDisjointFrom(folderIds)) waiting.supersede()
  }
}
