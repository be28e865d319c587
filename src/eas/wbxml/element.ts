/** A name with its code page in front, as in `FolderHierarchy:SyncKey`: many plain names stand on several pages. */
export type QualifiedName = `${string}:${string}`

/** What an element holds: elements, text (STR_I) or bytes (OPAQUE). EAS never mixes elements with text. */
export type WbxmlContent = WbxmlElement | string | Uint8Array

/** An element of a WBXML document, decoded or to be encoded. */
export interface WbxmlElement {
  readonly name: QualifiedName
  readonly content: readonly WbxmlContent[]
}

/** Makes an element. Numbers are for the caller to write as text: a protocol value has one spelling only. */
export function element(name: QualifiedName, ...content: readonly WbxmlContent[]): WbxmlElement {
  return { name, content }
}

/** True for content that is an element, not text or bytes. */
export function isElement(content: WbxmlContent): content is WbxmlElement {
  return typeof content !== 'string' && !(content instanceof Uint8Array)
}

/** The first direct child of that name. Takes an absent parent, so that a path can be walked by nesting. */
export function child(parent: WbxmlElement | undefined, name: QualifiedName): WbxmlElement | undefined {
  return children(parent, name)[0]
}

/** The direct children in document order, all or those of one name. */
export function children(parent: WbxmlElement | undefined, name?: QualifiedName): WbxmlElement[] {
  const found: WbxmlElement[] = []
  for (const content of parent?.content ?? []) {
    if (isElement(content) && (name === undefined || content.name === name)) found.push(content)
  }
  return found
}

/**
 * The text directly inside an element: STR_I and OPAQUE joined, since some clients write numbers as OPAQUE. Bytes that
 * are not UTF-8 become U+FFFD. An empty element has the text '', an absent one none.
 */
export function textOf(parent: WbxmlElement | undefined): string | undefined {
  if (parent === undefined) return undefined
  let text = ''
  for (const content of parent.content) {
    if (typeof content === 'string') text += content
    else if (content instanceof Uint8Array) text += viewOf(content).toString()
  }
  return text
}

/**
 * The bytes directly inside an element: OPAQUE and STR_I (as UTF-8) joined, since some clients write MIME as STR_I.
 * An empty element has no bytes, an absent one gives undefined. One OPAQUE is given as it is, not copied.
 */
export function bytesOf(parent: WbxmlElement | undefined): Uint8Array | undefined {
  if (parent === undefined) return undefined
  const parts: Uint8Array[] = []
  for (const content of parent.content) {
    if (typeof content === 'string') parts.push(Buffer.from(content))
    else if (content instanceof Uint8Array) parts.push(content)
  }
  const [only] = parts
  return parts.length === 1 ? only : Buffer.concat(parts)
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
