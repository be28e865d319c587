import { XMLParser, XMLValidator } from 'fast-xml-parser'

/** One element, with its place in the text that it was read from. Entities are left as written. */
export interface XmlElement {
  /** As written, with its prefix. */
  readonly name: string
  readonly localName: string
  readonly attributes: ReadonlyMap<string, string>
  readonly children: readonly XmlElement[]
  /** Text and CDATA that stand directly in it. */
  readonly text: string
  /** Index of its `<`. */
  readonly start: number
  /** Index behind its last `>`. */
  readonly end: number
}

/** Deeper than any Autodiscover text, and shallow enough for recursion. */
const maxDepth = 32
/** More than any of them holds: the parser needs 2 us for each, and holds the thread. T-52 */
const maxTags = 4000

const parser = new XMLParser({
  preserveOrder: true,
  captureMetaData: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  cdataPropName: '#cdata',
  processEntities: false,
  parseTagValue: false,
  trimValues: false,
  maxNestedTags: maxDepth,
})

/** A declaration of anything: document types and entities make a text mean what it does not say. */
const declaration = /<!(?!--|\[CDATA\[)/
const places = XMLParser.getMetaDataSymbol() as symbol

/**
 * Reads a text of one root element. Entities are never expanded. T-27
 * @returns the root; undefined where the text is not well-formed, too deep or too large, or declares a document type
 */
export function parseXml(text: string): XmlElement | undefined {
  if (declaration.test(text) || text.split('<', maxTags + 2).length > maxTags + 1) return undefined
  try {
    if (XMLValidator.validate(text) !== true) return undefined
    const nodes = parser.parse(text) as ParsedNode[]
    const [root, ...others] = elementsOf(nodes)
    if (root === undefined || others.length > 0) return undefined
    // the parser drops a text behind the root in silence
    const beside = textOf(nodes).replace(/^\uFEFF/, '') + text.slice(root.end)
    return beside.trim() === '' ? root : undefined
  } catch {
    // the parser throws for too much depth and for names such as __proto__
    return undefined
  }
}

/** Escapes a text for element content and attributes in double quotes. */
export function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

/** A node as the parser gives it: one key, its name, beside the attributes (`:@`) and, by a symbol, its place. */
type ParsedNode = Readonly<Record<string | symbol, unknown>>

interface Place {
  readonly startIndex: number
  readonly endIndex?: number
}

function nameOf(node: ParsedNode): string {
  return Object.keys(node).find((key) => key !== ':@') ?? ''
}

function elementsOf(nodes: readonly ParsedNode[]): XmlElement[] {
  return nodes.flatMap((node) => {
    const name = nameOf(node)
    const place = node[places] as Place | undefined
    if (name.startsWith('#') || name.startsWith('?')) return []
    if (place?.endIndex === undefined) throw new TypeError(`no place is known for <${name}>`)
    const inside = node[name] as ParsedNode[]
    return [
      {
        name,
        localName: name.slice(name.indexOf(':') + 1),
        attributes: new Map(Object.entries((node[':@'] ?? {}) as Record<string, string>)),
        children: elementsOf(inside),
        text: textOf(inside),
        start: place.startIndex,
        end: place.endIndex,
      },
    ]
  })
}

function textOf(nodes: readonly ParsedNode[]): string {
  return nodes
    .map((node) => {
      const name = nameOf(node)
      if (name === '#text') return String(node[name])
      return name === '#cdata' ? textOf(node[name] as ParsedNode[]) : ''
    })
    .join('')
}
