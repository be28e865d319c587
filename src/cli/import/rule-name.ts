/** Characters that the name of a rule may have. */
const maxNameLength = 80

/** A name that the policy file takes: not too long, and none of those that are taken, which are in lower case. */
export function uniqueName(name: string, taken: ReadonlySet<string>): string {
  let unique = name.slice(0, maxNameLength).trim()
  for (let number = 2; taken.has(unique.toLowerCase()); number++) {
    const suffix = ` ${number}`
    unique = name.slice(0, maxNameLength - suffix.length).trim() + suffix
  }
  return unique
}
