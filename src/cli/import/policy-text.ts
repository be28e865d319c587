import { Document, isMap, isNode, isScalar, isSeq } from 'yaml'

type Path = readonly (string | number)[]

/** A part of the policy file, with a comment before it. */
export interface PolicyComment {
  readonly path: Path
  readonly text: string
}

/** A part of a policy file as YAML, in the order of its keys, with comments at its head and before its parts. */
export function policyText(
  content: unknown,
  head: readonly string[],
  comments: readonly PolicyComment[],
): string {
  const document = new Document(content)
  document.commentBefore = commentText(head.join('\n'))
  for (const { path, text } of comments) {
    const node = nodeAt(document.contents, path)
    if (isNode(node)) node.commentBefore = commentText(text)
  }
  return document.toString({ lineWidth: 0, singleQuote: true })
}

/** The key of a map's entry, or the item of a list: what stands first of it. */
function nodeAt(parent: unknown, [step, ...rest]: Path): unknown {
  if (isSeq(parent))
    return rest.length === 0 ? parent.items[Number(step)] : nodeAt(parent.items[Number(step)], rest)
  if (!isMap(parent)) return undefined
  const pair = parent.items.find(({ key }) => isScalar(key) && key.value === step)
  return rest.length === 0 ? pair?.key : nodeAt(pair?.value, rest)
}

function commentText(text: string): string {
  return text.replaceAll(/^/gm, ' ')
}
