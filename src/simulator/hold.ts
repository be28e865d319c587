import type { Mailbox } from './mailbox.ts'

/** A Ping or Sync that waits. Kept in the device, so that a later request can end it. */
export interface Hold {
  readonly command: 'Ping' | 'Sync'
  readonly folderIds: ReadonlySet<string>
  supersede(): void
}

/** Why a wait ended. `gone`: the client went away and nobody reads an answer. */
export type HoldEnd = 'changed' | 'timeout' | 'superseded' | 'gone'

/** What to wait for. */
export interface HoldRequest {
  readonly command: 'Ping' | 'Sync'
  readonly mailbox: Mailbox
  readonly holds: Set<Hold>
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
      request.holds.delete(parked)
      resolve(cause)
    }
    const onGone = (): void => end('gone')
    const parked: Hold = {
      command: request.command,
      folderIds: request.folderIds,
      supersede: () => end('superseded'),
    }
    const timer = setTimeout(() => end('timeout'), request.timeoutMs)
    const unwatch = request.mailbox.watch((folderId) => {
      if (request.folderIds.has(folderId)) end('changed')
    })
    request.holds.add(parked)
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
