import table from './code-pages.json' with { type: 'json' }
import type { QualifiedName } from './element.ts'

/** Code pages 0 to this less one are known. [MS-ASWBXML] 2.1.2.1 */
export const codePageCount = table.pages.length

const tokensPerPage = 64
const nameByTag: (QualifiedName | undefined)[] = Array.from({ length: codePageCount * tokensPerPage })
const tagByName = new Map<QualifiedName, Tag>()

/** Where a name stands: its code page and its token, the low six bits of the tag byte. */
export interface Tag {
  readonly page: number
  readonly token: number
}

for (const { page, namespace, tags } of table.pages) {
  for (const [local, hex] of Object.entries(tags)) {
    const name: QualifiedName = `${namespace}:${local}`
    const token = Number(hex)
    nameByTag[page * tokensPerPage + token] = name
    tagByName.set(name, { page, token })
  }
}

/** The name of a token on a code page; undefined for a page or token that Microsoft has given no name. */
export function tagName(page: number, token: number): QualifiedName | undefined {
  return nameByTag[page * tokensPerPage + token]
}

/** The page and token of a name, undefined for one that stands in no code page. */
export function tagOf(name: QualifiedName): Tag | undefined {
  return tagByName.get(name)
}
