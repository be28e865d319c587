import { iosVersionOfBuild } from '#eas/client/apple-build.ts'
import { readClaim } from '#eas/client/client-rules.ts'
import { compareVersions, parseVersion } from '#eas/client/os-version.ts'
import type { Platform } from '#eas/client/platform.ts'
import { versionOf } from '#policy/device-view.ts'

/** A DeviceOS text as a device rule says it. */
export interface DeviceOs {
  readonly os: Platform
  /** As a range of the policy file, in the numbers that the system uses itself. */
  readonly osVersion: string
  /** What stands after the version, such as a build: a rule does not look at it. Empty where nothing does. */
  readonly rest: string
}

/** The same, or why it cannot be said. */
export type ReadDeviceOs = DeviceOs | { readonly reason: string }

/**
 * Reads a DeviceOS text such as `iOS 6.1 10B145` or `Android 4.1.2`, as a phone's own text is read. Where an Apple build
 * belongs to a later version than the text names (10B145 is 6.1.1), a phone may be known by either, so both are meant.
 */
export function readDeviceOs(text: string): ReadDeviceOs {
  const claim = readClaim('systems', text)
  const os = claim?.platform ?? claim?.usualPlatform
  if (claim === undefined || os === undefined) return { reason: 'it names no system that easgate knows' }
  const written = claim.osVersion
  const version = versionOf({ platform: os, osVersion: written })
  if (written === undefined || version === undefined) {
    return {
      reason:
        'it names no version, and fits only devices that send just this text; ' +
        `write a rule with os: ${os} if every version is meant`,
    }
  }
  const rest = text.slice(text.indexOf(written) + written.length).replace(/^[\s.]+/, '')
  const ofBuild = os === 'iOS' ? parseVersion(iosVersionOfBuild(rest) ?? '') : undefined
  const from = version.join('.')
  const isLater = ofBuild !== undefined && compareVersions(ofBuild, version) > 0
  return { os, osVersion: isLater ? `>= ${from} <= ${ofBuild.join('.')}` : from, rest }
}
