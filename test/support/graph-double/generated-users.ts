import names from './names.json' with { type: 'json' }
import { guids, mix } from './mix.ts'
import type { Scenario } from './scenario.ts'
import type { Generated } from './table.ts'

const idSalt = 100
const nameSalt = 110

/** Generated people. */
export interface GeneratedUsers extends Generated {
  readonly idAt: (index: number) => string
  readonly userPrincipalNameAt: (index: number) => string
  readonly mailAt: (index: number) => string | null
  readonly displayNameAt: (index: number) => string
}

/**
 * People with the names that directories have: the UPN in mixed letter case for every fifth; for every tenth another
 * primary address than the UPN (n % 10 = 1) or none (= 2); for every fourth (n % 4 = 3) nothing on-premises.
 */
export function generatedUsers({ generated: { users, seed }, tenant: { domain } }: Scenario): GeneratedUsers {
  const { at: idAt, indexOf } = guids(seed, idSalt)
  const givenName = (index: number) => names.given[mix(seed, nameSalt, index) % names.given.length] ?? ''
  const surname = (index: number) => names.family[mix(seed, nameSalt + 1, index) % names.family.length] ?? ''
  const displayNameAt = (index: number) => `${givenName(index)} ${surname(index)}`
  const userPrincipalNameAt = (index: number) => `${index % 5 === 0 ? 'User' : 'user'}.${index}@${domain}`
  const mailAt = (index: number) => {
    if (index % 10 === 2) return null
    return index % 10 === 1 ? `Person.${index}@mail.${domain}` : userPrincipalNameAt(index)
  }
  const proxyAddresses = (index: number) => {
    const mail = mailAt(index)
    if (mail === null) return '[]'
    return JSON.stringify([`SMTP:${mail}`, `smtp:user.${index}@alias.${domain}`, `SIP:${mail}`])
  }
  const domainPattern = RegExp.escape(domain)
  /** How each kind of name gives the number back. */
  const patterns: Readonly<Record<string, RegExp>> = {
    userPrincipalName: new RegExp(`^user\\.(\\d{1,9})@${domainPattern}$`, 'i'),
    mail: new RegExp(`^(?:user|person)\\.(\\d{1,9})@(?:mail\\.)?${domainPattern}$`, 'i'),
    proxyAddresses: new RegExp(
      `^(?:smtp|sip):(?:user|person)\\.(\\d{1,9})@(?:(?:mail|alias)\\.)?${domainPattern}$`,
      'i',
    ),
    otherMails: /^p(\d{1,9})@private\.example$/i,
    onPremisesSamAccountName: /^u(\d{1,9})$/i,
  }
  return {
    count: users,
    exists: () => true,
    idAt,
    userPrincipalNameAt,
    mailAt,
    displayNameAt,
    fields: {
      id: (index) => `"${idAt(index)}"`,
      userPrincipalName: (index) => `"${userPrincipalNameAt(index)}"`,
      displayName: (index) => JSON.stringify(displayNameAt(index)),
      givenName: (index) => JSON.stringify(givenName(index)),
      surname: (index) => JSON.stringify(surname(index)),
      mail: (index) => JSON.stringify(mailAt(index)),
      jobTitle: () => 'null',
      mobilePhone: () => 'null',
      officeLocation: () => 'null',
      preferredLanguage: () => 'null',
      businessPhones: () => '[]',
      proxyAddresses,
      otherMails: (index) => (index % 7 === 0 ? `["p${index}@private.example"]` : '[]'),
      onPremisesSamAccountName: (index) => onPremises(index, `u${index}`),
      onPremisesDomainName: (index) => onPremises(index, `corp.${domain}`),
      onPremisesUserPrincipalName: (index) => onPremises(index, userPrincipalNameAt(index)),
      accountEnabled: (index) => String(index % 50 !== 49),
      userType: () => '"Member"',
    },
    indicesOf: (property, value) => {
      const pattern = patterns[property]
      if (property !== 'id' && pattern === undefined) return undefined
      const index = pattern === undefined ? indexOf(value) : Number(pattern.exec(value)?.[1] ?? Infinity)
      return index === undefined || index >= users ? [] : [index]
    },
  }
}

function onPremises(index: number, text: string): string {
  return index % 4 === 3 ? 'null' : `"${text}"`
}
