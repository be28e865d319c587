import { decodeUtf8 } from '#eas/text.ts'

const field = /^[a-z]{1,16}=[A-Za-z0-9%+._~*-]*$/

/**
 * The fields of an `application/x-www-form-urlencoded` body; undefined where it is malformed or names one twice: there
 * is one way to read it.
 */
export function readFormFields(body: Uint8Array): ReadonlyMap<string, string> | undefined {
  const text = decodeUtf8(body)
  if (text === undefined) return undefined
  const fields = new Map<string, string>()
  for (const pair of text.split('&')) {
    if (!field.test(pair)) return undefined
    const equals = pair.indexOf('=')
    const name = pair.slice(0, equals)
    const value = decoded(pair.slice(equals + 1))
    if (value === undefined || fields.has(name)) return undefined
    fields.set(name, value)
  }
  return fields
}

function decoded(value: string): string | undefined {
  try {
    return decodeURIComponent(value.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
