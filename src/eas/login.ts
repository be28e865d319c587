/** How logins become directory names: the config section `identity`. */
export interface LoginRules {
  /** UPN suffix of a bare user name. */
  readonly defaultDomain?: string | undefined
  /** NetBIOS or DNS name of a domain, lower case -> UPN suffix. Phones send both before the backslash. */
  readonly domains: ReadonlyMap<string, string>
}

/**
 * The directory names that a login may stand for, best first, in lower case. `DOMAIN\user` leads to a UPN only by a
 * configured domain: an unknown domain stays a name that nobody has, and so does a domain beside a suffix that
 * contradicts it. T-17
 */
export function loginNames(login: string, rules: LoginRules): readonly string[] {
  const name = login.toLowerCase()
  const backslash = name.indexOf('\\')
  if (backslash !== -1) return domainNames(name, backslash, rules)
  if (name.includes('@') || rules.defaultDomain === undefined) return [name]
  return [`${name}@${rules.defaultDomain.toLowerCase()}`, name]
}

function domainNames(name: string, backslash: number, rules: LoginRules): readonly string[] {
  const suffix = rules.domains.get(name.slice(0, backslash))?.toLowerCase()
  const user = name.slice(backslash + 1)
  if (suffix === undefined) return [name]
  if (!user.includes('@')) return [`${user}@${suffix}`, name]
  return user.endsWith(`@${suffix}`) ? [user] : [name]
}
