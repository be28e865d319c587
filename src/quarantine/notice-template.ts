import { html } from '#enrollment/html.ts'

/** `{link}` and the like, also one that is misspelt. */
const fieldPattern = /\{\s*([A-Za-z][\w-]*)\s*\}/g

/** Puts values in the place of fields as they are. Braces around anything else are text. */
export function fillText(template: string, values: Readonly<Record<string, string>>): string {
  return template.replaceAll(fieldPattern, (written, name: string) =>
    Object.hasOwn(values, name) ? (values[name] ?? '') : written,
  )
}

/** The same for HTML: a value is text there, in an element or a quoted attribute. */
export function fillHtml(template: string, values: Readonly<Record<string, string>>): string {
  const escaped = Object.entries(values).map(([name, value]) => [name, html`${value}`.markup])
  return fillText(template, Object.fromEntries(escaped))
}

/** What is wrong with the fields of a template; undefined where they are all known. */
export function fieldsFault(template: string, known: readonly string[]): string | undefined {
  for (const [written, name = ''] of template.matchAll(fieldPattern)) {
    if (!known.includes(name))
      return `no field ${written}: expected ${known.map((field) => `{${field}}`).join(', ')}`
  }
  return undefined
}

/** What makes an HTML template unsafe to fill; undefined where each value stays text. */
export function htmlFault(template: string): string | undefined {
  if (/<\s*(?:script|style)\b/i.test(template))
    return 'expected no script and no style: mail applications drop them'
  for (const [tag] of template.matchAll(/<[^>]*>?/g)) {
    const bare = tag.replaceAll(/"[^"]*"|'[^']*'/g, '')
    if (/[{"']/.test(bare)) return 'expected fields inside of a tag to stand in quotes'
  }
  return undefined
}
