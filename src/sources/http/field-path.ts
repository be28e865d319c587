/** A way into a JSON value, step by step. */
export type FieldPath = readonly string[]

/** Reads what the config checked: names with dots between them, `.` for the value itself, or a JSON pointer. RFC 6901 */
export function parseFieldPath(text: string): FieldPath {
  if (text === '.') return []
  if (!text.startsWith('/')) return text.split('.')
  return text
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** What stands there; undefined where nothing does. Only what the answer itself says: no inherited name. T-49 */
export function valueAt(root: unknown, path: FieldPath): unknown {
  let value = root
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as Readonly<Record<string, unknown>>)[step]
  }
  return value
}

/** All that stands there, where `*` is every entry of a list. */
export function valuesAt(root: unknown, path: FieldPath): readonly unknown[] {
  const star = path.indexOf('*')
  if (star === -1) {
    const value = valueAt(root, path)
    return Array.isArray(value) ? value : [value]
  }
  const list = valueAt(root, path.slice(0, star))
  if (!Array.isArray(list)) return []
  return list.flatMap((entry) => valuesAt(entry, path.slice(star + 1)))
}
