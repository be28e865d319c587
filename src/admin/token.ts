import { readFileSync } from 'node:fs'
import type { Config } from '#config/schema.ts'
import { ConfigError } from '#config/yaml.ts'

/**
 * The bearer token in the file that a key of `admin` names; undefined where it names none. Blanks around it do not
 * count. An empty file would be a token that nobody can present.
 * @throws {ConfigError} where the file cannot be read or holds no token
 */
export function readToken(admin: Config['admin'], key: 'tokenFile' | 'metricsTokenFile'): string | undefined {
  const file = admin[key]
  if (file === undefined) return undefined
  const token = readText(file, key).trim()
  if (!/^[\x21-\x7e]+$/.test(token)) throw fault(file, key, 'expected one word of printable ASCII characters')
  return token
}

function readText(file: string, key: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw fault(file, key, `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
}

function fault(file: string, key: string, message: string): ConfigError {
  return new ConfigError([{ file, line: 0, path: `admin.${key}`, message }])
}
