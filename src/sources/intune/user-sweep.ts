import { allowedDrop } from '../allowed-drop.ts'
import { dropText, type IntuneContext } from './context.ts'
import { readDirectoryUser, userProperties } from './directory-user.ts'
import { graphCalls } from './graph-calls.ts'
import { isNotFound, reasonOf } from './graph-error.ts'
import { pages } from './pages.ts'
import { countMalformed } from './report-malformed.ts'

/** The largest page of the directory. */
const pageSize = 999
/** Absences that are looked into after one reading; the others wait for the next. */
const maxConfirmations = 1000

/**
 * Reads every user of the tenant with all names, page by page: of who is not on record it is not known who he is, so
 * that he counts as targeted and never as exempt. Who is not listed is asked for by himself before he is dropped, and a
 * list that lacks far too many is not believed.
 *
 * @returns why names are kept that the list does not have, where that is worth an alarm
 */
export async function sweepUsers(
  context: IntuneContext,
  groups: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { store, client, name, settings, domains, log } = context
  const malformed = countMalformed(context, 'users')
  const sweep = store.sweepUsers(name, groups)
  const url = client.urlOf('/users', { $select: userProperties.join(','), $top: String(pageSize) })
  const request = { call: graphCalls.users, url, priority: 'low', signal, stamp: () => undefined } as const
  for await (const { items } of pages(client, request)) {
    const users = items.flatMap((item) => {
      const read = readDirectoryUser(item, domains)
      if ('user' in read) return read.user
      malformed.add(read.malformed)
      return []
    })
    await sweep.add(users)
  }

  const { known, count, users } = await sweep.unlisted(maxConfirmations)
  if (count > allowedDrop(known, settings.maxDrop)) {
    const error = dropText('users', count, known)
    log.error({ source: name, missing: count, known }, error)
    return error
  }
  for (const user of users) {
    const isThere = await exists(context, user, signal)
    if (isThere === undefined) break
    if (!isThere) sweep.remove(user)
  }
  store.setPartComplete(name, 'users')
  return undefined
}

/** Undefined where Graph does not say. */
async function exists(
  { client, log, name }: IntuneContext,
  user: string,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const url = client.urlOf(`/users/${encodeURIComponent(user)}`, { $select: 'id' })
  try {
    await client.ask({ call: graphCalls.users, url, priority: 'low', signal })
    return true
  } catch (error) {
    signal.throwIfAborted()
    if (isNotFound(error)) return false
    log.warn(
      { source: name, reason: reasonOf(error) },
      'not every absence could be looked into; those users are kept',
    )
    return undefined
  }
}
