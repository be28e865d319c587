/** One element of a list; a quoted string may hold commas. */
const listElement = /(?:[^",]|"(?:[^"\\]|\\.)*(?:"|$))+/g
/** A scheme begins a challenge, alone or with a blank behind it; `name=value` goes on with the one before. */
const beginsChallenge = /^[\w!#$%&'*+.^`|~-]+(?:\s+(?![\s=])|$)/
const passable = /^(?:Basic|Bearer)(?:\s|$)/i

/**
 * The challenges of a 401 that a client may see: every Basic and Bearer one, in order, whether they stand in lines of
 * their own or joined in one. NTLM and Negotiate authenticate a connection, and ours to the backend serve many users.
 * RFC 9110 11.6.1, T-18
 */
export function passableChallenges(header: string | readonly string[] | undefined): string[] {
  const lines = header === undefined ? [] : typeof header === 'string' ? [header] : header
  return lines.flatMap(challengesOf).filter((challenge) => passable.test(challenge))
}

function challengesOf(line: string): string[] {
  const challenges: string[] = []
  for (const [part] of line.matchAll(listElement)) {
    const element = part.trim()
    if (element === '') continue
    const last = challenges.at(-1)
    if (last === undefined || beginsChallenge.test(element)) challenges.push(element)
    else challenges[challenges.length - 1] = `${last}, ${element}`
  }
  return challenges
}
