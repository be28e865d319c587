import type { ListedUser } from '#directory/sweep-users.ts'
import { guidOf, isName, isObject, MalformedField, text, userName, type JsonObject } from './fields.ts'
import { shown } from './graph-error.ts'
import type { MalformedRecord } from './managed-device.ts'

/** The properties of a user that are asked for. */
export const userProperties = [
  'id',
  'userPrincipalName',
  'mail',
  'proxyAddresses',
  'onPremisesUserPrincipalName',
  'onPremisesSamAccountName',
  'onPremisesDomainName',
] as const

/** A user of Entra with every name that may stand in a login. */
export interface DirectoryUser extends ListedUser {
  readonly id: string
}

export type ReadDirectoryUser = { readonly user: DirectoryUser } | { readonly malformed: MalformedRecord }

/**
 * Reads a user. The aliases are the id (a token may name it), every address of the mailbox, the UPN on-premises and the
 * account name there. Other addresses (`otherMails`) are the user's own word and name nobody.
 *
 * @param domains NetBIOS or DNS name of a domain, lower case -> UPN suffix: the config section `identity`
 */
export function readDirectoryUser(value: unknown, domains: ReadonlyMap<string, string>): ReadDirectoryUser {
  if (!isObject(value)) return { malformed: { id: '', field: '', message: 'expected an object' } }
  try {
    const id = guidOf(value, 'id')
    const user = userName(value, 'userPrincipalName')
    if (id === undefined) throw new MalformedField('id', 'a GUID')
    if (user === undefined) throw new MalformedField('userPrincipalName', 'a name')
    const names = [
      id,
      userName(value, 'mail'),
      userName(value, 'onPremisesUserPrincipalName'),
      ...mailboxAddresses(value),
      ...accountNames(value, user, domains),
    ]
    const aliases = names.filter((name) => name !== undefined && name !== user && isName(name))
    return { user: { id, user, aliases: [...new Set(aliases as string[])] } }
  } catch (error) {
    if (!(error instanceof MalformedField)) throw error
    const { id } = value
    return {
      malformed: { id: typeof id === 'string' ? shown(id) : '', field: error.field, message: error.message },
    }
  }
}

/** True where the user has the name, be it UPN or alias. */
export function hasName({ user, aliases }: ListedUser, name: string): boolean {
  return user === name || aliases.includes(name)
}

/** `SMTP:` marks the primary address, `smtp:` the others; sip and x500 addresses are no logins. */
function mailboxAddresses(record: JsonObject): readonly string[] {
  const { proxyAddresses } = record
  if (proxyAddresses === undefined || proxyAddresses === null) return []
  if (!Array.isArray(proxyAddresses) || !proxyAddresses.every((address) => typeof address === 'string')) {
    throw new MalformedField('proxyAddresses', 'a list of texts')
  }
  return proxyAddresses
    .filter((address) => /^smtp:/i.test(address))
    .map((address) => address.slice('smtp:'.length).toLowerCase())
}

/**
 * The account name alone, under the DNS name of its domain, and under each configured domain that stands for the user's
 * own suffix. A name that two users come to have leads to neither of them. T-17
 */
function accountNames(
  record: JsonObject,
  user: string,
  domains: ReadonlyMap<string, string>,
): readonly string[] {
  const account = text(record, 'onPremisesSamAccountName')?.toLowerCase()
  if (account === undefined) return []
  const dnsName = text(record, 'onPremisesDomainName')?.toLowerCase()
  const suffix = user.slice(user.lastIndexOf('@') + 1)
  const configured = [...domains].filter(([, of]) => of.toLowerCase() === suffix).map(([domain]) => domain)
  const named = dnsName === undefined ? configured : [dnsName, ...configured]
  return [account, ...named.map((domain) => `${domain}\\${account}`)]
}
