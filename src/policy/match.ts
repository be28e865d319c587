import { compareVersions, type Version } from '#eas/client/os-version.ts'
import type { Platform } from '#eas/client/platform.ts'
import type { DecisionRequest } from './criterion.ts'
import { versionOf, type DeviceView } from './device-view.ts'
import type { DeviceRule } from './schema.ts'
import type { VersionRange } from './schema/device-match.ts'

/** What device rules look at, made once a decision. Texts are in lower case; an empty one is not known. */
export interface Subject {
  readonly platform: Platform
  readonly version: Version | undefined
  readonly deviceType: string
  readonly model: string
  readonly userAgent: string
  readonly client: string
}

export function subjectOf({ deviceType, userAgent, client }: DecisionRequest, device: DeviceView): Subject {
  return {
    platform: device.platform,
    version: versionOf(device),
    deviceType: deviceType?.toLowerCase() ?? '',
    model: known(device.model),
    userAgent: userAgent?.toLowerCase() ?? '',
    client: known(client.client),
  }
}

function known(text: string): string {
  return text === 'unknown' ? '' : text.toLowerCase()
}

export type Fits = (subject: Subject) => boolean

/** Whether a device fits everything that a rule asks. A text that is not known fits no pattern. */
export function compileMatch(match: DeviceRule['match'], unknownVersionFits: boolean): Fits {
  const { os, osVersion } = match
  const platforms = osVersion?.os === undefined ? os : [osVersion.os]
  const conditions: Fits[] = []
  if (platforms !== undefined) conditions.push(({ platform }) => platforms.includes(platform))
  if (osVersion !== undefined) {
    conditions.push(({ version }) =>
      version === undefined ? unknownVersionFits : isInRange(version, osVersion),
    )
  }
  for (const field of ['deviceType', 'model', 'userAgent', 'client'] as const) {
    const patterns = match[field]
    if (patterns === undefined) continue
    const fits = compilePatterns(patterns)
    conditions.push((subject) => fits(subject[field]))
  }
  return (subject) => {
    for (const condition of conditions) if (!condition(subject)) return false
    return true
  }
}

function isInRange(version: Version, { min, max }: VersionRange): boolean {
  if (min !== undefined) {
    const order = compareVersions(version, min.version)
    if (order < 0 || (order === 0 && !min.inclusive)) return false
  }
  if (max === undefined) return true
  const order = compareVersions(version, max.version)
  return order < 0 || (order === 0 && max.inclusive)
}

/** True for a text in lower case that fits one of the patterns; an empty text fits none. */
export function compilePatterns(patterns: readonly string[]): (text: string) => boolean {
  const compiled = patterns.map((pattern) => pattern.toLowerCase().split('*'))
  return (text) => {
    if (text === '') return false
    for (const parts of compiled) if (fitsParts(text, parts)) return true
    return false
  }
}

/** Each part after the other from left to right, the first at the start and the last at the end: no going back. */
function fitsParts(text: string, parts: readonly string[]): boolean {
  const first = parts[0] ?? ''
  if (parts.length === 1) return text === first
  if (!text.startsWith(first)) return false
  let at = first.length
  for (let index = 1; index < parts.length - 1; index++) {
    const part = parts[index] ?? ''
    const found = text.indexOf(part, at)
    if (found === -1) return false
    at = found + part.length
  }
  const last = parts.at(-1) ?? ''
  return text.length - last.length >= at && text.endsWith(last)
}
