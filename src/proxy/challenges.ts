const challengeStart = /(?:^|,\s*)(?=(?:Basic|Bearer|NTLM|Negotiate|Kerberos|Digest)(?:\s|,|$))/i
const passable = /^(?:Basic|Bearer)(?:\s|$)/i

/**
 * The challenges of a 401 that a client may see: every Basic and Bearer one, in order. NTLM and Negotiate authenticate
 * a connection, and ours to the backend serve many users. T-18
 */
export function passableChallenges(header: string | readonly string[] | undefined): string[] {
  const lines = header === undefined ? [] : typeof header === 'string' ? [header] : header
  return lines
    .flatMap((line) => line.split(challengeStart))
    .map((challenge) => challenge.trim())
    .filter((challenge) => passable.test(challenge))
}
