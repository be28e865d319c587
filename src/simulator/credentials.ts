import { timingSafeEqual } from 'node:crypto'
import type { Account, Organization } from './organization.ts'

/** The user whom an Authorization header proves; undefined where it proves nobody. */
export function authenticate(
  organization: Organization,
  bearerTokens: ReadonlyMap<string, string>,
  header: string | undefined,
): Account | undefined {
  const [, scheme, credential] = /^(\S+) +(\S+)$/.exec(header ?? '') ?? []
  if (scheme === undefined || credential === undefined) return undefined
  if (scheme.toLowerCase() === 'basic') return basicAccount(organization, Buffer.from(credential, 'base64'))
  if (scheme.toLowerCase() !== 'bearer') return undefined
  const name = bearerTokens.get(credential)
  return name === undefined ? undefined : organization.account(name)
}

/** The name that a header claims, proved or not: for the record of requests. */
export function claimedName(header: string | undefined): string | undefined {
  const [, credential] = /^basic +(\S+)$/i.exec(header ?? '') ?? []
  return credential === undefined ? undefined : split(Buffer.from(credential, 'base64').toString())[0]
}

/** Clients send UTF-8 or Latin-1; the password decides which it was. */
function basicAccount(organization: Organization, bytes: Buffer): Account | undefined {
  for (const encoding of ['utf8', 'latin1'] as const) {
    const [name, password] = split(bytes.toString(encoding))
    const account = organization.account(name)
    if (account !== undefined && samePassword(account.password, password)) return account
  }
  return undefined
}

function split(text: string): [name: string, password: string] {
  const colon = text.indexOf(':')
  return colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)]
}

function samePassword(expected: string, given: string): boolean {
  const a = Buffer.from(expected)
  const b = Buffer.from(given)
  return a.length === b.length && timingSafeEqual(a, b)
}
