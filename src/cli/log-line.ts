import { z } from 'zod'
import { EnvironmentError } from './command.ts'

const requestLine = z.object({
  user: z.string(),
  deviceId: z.string(),
  requestId: z.string(),
  reason: z.string(),
  policyRevision: z.int().transform(String),
  factsRevision: z.int().transform(String),
  deviceType: z.string().optional(),
  userAgent: z.string().optional(),
  protocolVersion: z.string().optional(),
})

/** What the log line of a request tells of it, by the names of the API's parameters. */
export type RequestLine = Readonly<Record<string, string>> & { readonly deviceId: string }

/**
 * Reads the one log line of a request that a text holds; what comes before its bracket, as a container's log puts it
 * there, does not count.
 *
 * @throws {EnvironmentError} where it holds none, several, or one that names no device
 */
export function readLogLine(text: string): RequestLine {
  const lines = text.split('\n').filter((line) => line.includes('{'))
  const [line, ...others] = lines
  if (line === undefined) throw new EnvironmentError('expected one line of the log, found none')
  if (others.length > 0) {
    throw new EnvironmentError(`expected one line of the log, found ${lines.length}`)
  }
  const { data, error } = requestLine.safeParse(parsed(line.slice(line.indexOf('{'))))
  if (data !== undefined) return data as RequestLine
  const faults = error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  throw new EnvironmentError(
    `this is no log line of a request of a device: ${faults.join('; ').replace(/^: /, '')}`,
  )
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
