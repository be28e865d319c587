import { easPath } from '#eas/route.ts'
import { escapeXml, parseXml, type XmlElement } from './xml.ts'

export const autodiscoverXmlPath = '/autodiscover/autodiscover.xml'

const isUrl = /^https?:/i
/** What may stand in an answer. Outlook's `Account` lists every other service by its inner name. */
const inResponse = new Set(['Culture', 'User', 'Action', 'Error'])
const inAction = new Set(['Settings', 'Redirect', 'Error'])

/** A stretch of the text and what stands there instead. */
interface Replacement {
  readonly start: number
  readonly end: number
  readonly by: string
}

/**
 * Makes the answer of the backend one that keeps clients inline: every URL of its MobileSync server is ours. Servers of
 * another type (CertEnroll) are left out: their URL is no EAS URL that could become ours, and as it stands it would
 * tell the inner name. All else stays as it came, to the byte.
 * @returns undefined where the answer is no mobilesync answer, or sends the client to another URL
 */
export function rewriteXmlAnswer(text: string, publicUrl: string): string | undefined {
  const root = parseXml(text)
  const [response, ...others] = root?.children ?? []
  if (root?.localName !== 'Autodiscover' || response?.localName !== 'Response' || others.length > 0) {
    return undefined
  }
  if (!holdsOnly(response, inResponse)) return undefined
  const actions = named(response, 'Action')
  if (!actions.every((action) => holdsOnly(action, inAction))) return undefined
  // a mail address is asked about next, here again; a URL would be asked past us
  if (actions.some((action) => named(action, 'Redirect').some(leadsAway))) return undefined
  const url = escapeXml(`${publicUrl}${easPath}`)
  const servers = actions.flatMap((action) => named(action, 'Settings')).flatMap(({ children }) => children)
  return replaceAll(
    text,
    servers.flatMap((server) => replacementsIn(server, url)),
  )
}

/**
 * The same for `autodiscover.json`, of which only the two members that clients read are kept.
 * @param protocol that was asked for: the answer to `AutodiscoverV1` is the URL of the XML form
 */
export function rewriteJsonAnswer(
  text: string,
  protocol: 'ActiveSync' | 'AutodiscoverV1',
  publicUrl: string,
): string | undefined {
  let answer: unknown
  try {
    answer = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof answer !== 'object' || answer === null || !('Url' in answer) || typeof answer.Url !== 'string') {
    return undefined
  }
  const path = protocol === 'ActiveSync' ? easPath : autodiscoverXmlPath
  return JSON.stringify({ Protocol: protocol, Url: `${publicUrl}${path}` })
}

function replacementsIn(server: XmlElement, url: string): Replacement[] {
  const { start, end, children } = server
  const isMobileSync =
    server.localName === 'Server' &&
    named(server, 'Type').some(({ text }) => text.trim().toLowerCase() === 'mobilesync')
  if (!isMobileSync) return [{ start, end, by: '' }]
  return children
    .filter(({ localName, text }) => localName === 'Url' || (localName !== 'Type' && isUrl.test(text.trim())))
    .map(({ name, start, end }) => ({ start, end, by: `<${name}>${url}</${name}>` }))
}

function replaceAll(text: string, replacements: readonly Replacement[]): string {
  let result = ''
  let from = 0
  for (const { start, end, by } of replacements) {
    result += text.slice(from, start) + by
    from = end
  }
  return result + text.slice(from)
}

function named(element: XmlElement, localName: string): XmlElement[] {
  return element.children.filter((child) => child.localName === localName)
}

function holdsOnly(element: XmlElement, names: ReadonlySet<string>): boolean {
  return element.children.every(({ localName }) => names.has(localName))
}

function leadsAway({ text, children }: XmlElement): boolean {
  return children.length > 0 || /[:/]/.test(text)
}
