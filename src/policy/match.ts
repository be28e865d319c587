import { compareVersions, type Version } from '#eas/client/os-version.ts'
import type { Platform } from '#eas/client/platform.ts'
import type { Situation } from './criterion.ts'
import type { DeviceRule } from './schema.ts'
import type { VersionBound } from './schema/device-match.ts'

/** What device rules look at, made once a decision. Texts are in lower case; an empty one is not known. */
export interface Subject {
  readonly platform: Platform
  readonly version: Version | undefined
  readonly deviceType: string
  readonly model: string
  readonly userAgent: string
  readonly client: string
}

export function subjectOf({ request, device, version }: Situation): Subject {
  const { deviceType, userAgent, client } = request
  return {
    platform: device.platform,
    version,
    deviceType: deviceType?.toLowerCase() ?? '',
    model: known(device.model),
    userAgent: userAgent?.toLowerCase() ?? '',
    client: known(client.client),
  }
}

function known(text: string): string {
  return text === 'unknown' ? '' : text.toLowerCase()
}

/** A text in lower case, cut at its stars. */
export type Pattern = readonly string[]

/** What a rule asks, in one shape for all rules, so that asking many of them stays fast. */
export interface CompiledMatch {
  readonly platforms: readonly Platform[] | undefined
  readonly asksVersion: boolean
  readonly min: VersionBound | undefined
  readonly max: VersionBound | undefined
  readonly unknownVersionFits: boolean
  readonly deviceType: readonly Pattern[] | undefined
  readonly model: readonly Pattern[] | undefined
  readonly userAgent: readonly Pattern[] | undefined
  readonly client: readonly Pattern[] | undefined
}

export function compileMatch(match: DeviceRule['match'], unknownVersionFits: boolean): CompiledMatch {
  const { os, osVersion, deviceType, model, userAgent, client } = match
  return {
    platforms: osVersion?.os === undefined ? os : [osVersion.os],
    asksVersion: osVersion !== undefined,
    min: osVersion?.min,
    max: osVersion?.max,
    unknownVersionFits,
    deviceType: deviceType && compilePatterns(deviceType),
    model: model && compilePatterns(model),
    userAgent: userAgent && compilePatterns(userAgent),
    client: client && compilePatterns(client),
  }
}

/** Whether a device fits everything that a rule asks. A text that is not known fits no pattern. */
export function fits(match: CompiledMatch, subject: Subject): boolean {
  const { platforms, deviceType, model, userAgent, client } = match
  return (
    (platforms === undefined || platforms.includes(subject.platform)) &&
    (!match.asksVersion || isInRange(subject.version, match)) &&
    (deviceType === undefined || fitsOne(subject.deviceType, deviceType)) &&
    (model === undefined || fitsOne(subject.model, model)) &&
    (userAgent === undefined || fitsOne(subject.userAgent, userAgent)) &&
    (client === undefined || fitsOne(subject.client, client))
  )
}

function isInRange(version: Version | undefined, { min, max, unknownVersionFits }: CompiledMatch): boolean {
  if (version === undefined) return unknownVersionFits
  if (min !== undefined) {
    const order = compareVersions(version, min.version)
    if (order < 0 || (order === 0 && !min.inclusive)) return false
  }
  if (max === undefined) return true
  const order = compareVersions(version, max.version)
  return order < 0 || (order === 0 && max.inclusive)
}

export function compilePatterns(patterns: readonly string[]): readonly Pattern[] {
  return patterns.map((pattern) => pattern.toLowerCase().split('*'))
}

/** True for a text in lower case that fits one of the patterns; an empty text fits none. */
export function fitsOne(text: string, patterns: readonly Pattern[]): boolean {
  if (text === '') return false
  for (const parts of patterns) if (fitsParts(text, parts)) return true
  return false
}

/** Each part after the other from left to right, the first at the start and the last at the end: no going back. */
function fitsParts(text: string, parts: Pattern): boolean {
  const first = parts[0] ?? ''
  // most texts differ in their first letter
  if (first !== '' && text.charCodeAt(0) !== first.charCodeAt(0)) return false
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
