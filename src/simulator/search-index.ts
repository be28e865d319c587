import type { Mailbox } from './mailbox.ts'
import type { Message } from './message.ts'
import type { Account, Organization } from './organization.ts'

/** The asked part of a list of hits. */
export interface Found<T> {
  readonly results: readonly T[]
  /** As given back, `0-4`. */
  readonly range: string
  readonly total: number
}

/** Mail whose subject, sender or text has the words, newest first; in some folders, or in all where none is named. */
export function findMail(mailbox: Mailbox, words: string, folderIds: readonly string[]): Message[] {
  const wanted = words.trim().toLowerCase()
  const ids = folderIds.length > 0 ? folderIds : mailbox.folders().map((folder) => folder.serverId)
  return ids
    .flatMap((id) => mailbox.messages(id))
    .filter(({ subject, from, text }) => `${subject}\n${from}\n${text}`.toLowerCase().includes(wanted))
    .toSorted((a, b) => b.receivedAt - a.receivedAt)
}

/** People whose name or address begins with the words, or has a name that does. */
export function findPeople(organization: Organization, words: string): Account[] {
  const wanted = words.trim().toLowerCase()
  return organization.accounts.filter(({ displayName, upn }) =>
    [upn, displayName, ...displayName.split(' ')].some((name) => name.toLowerCase().startsWith(wanted)),
  )
}

/** Cuts hits to a range `first-last`, both counted; default the first hundred. */
export function rangeOf<T>(hits: readonly T[], range: string | undefined): Found<T> {
  const match = /^(\d{1,6})-(\d{1,6})$/.exec(range ?? '')
  const first = match === null ? 0 : Number(match[1])
  const last = match === null ? 99 : Number(match[2])
  const results = hits.slice(first, last + 1)
  return { results, range: `${first}-${first + results.length - 1}`, total: hits.length }
}
