import { parseVersion, type Version } from '#eas/client/os-version.ts'
import type { Platform } from '#eas/client/platform.ts'
import type { Service } from './schema.ts'
import rows from './platform-support.json' with { type: 'json' }

/** From which version on a platform can be managed. Windows counts as it calls itself: 6.2 is Windows 8. */
export type PlatformSupport = Readonly<Record<Service, Version>> & {
  /** Enough where the PC is joined to the domain, online. */
  readonly domainJoined: Version | undefined
}

function version(text: string): Version {
  const parsed = parseVersion(text)
  if (parsed === undefined) throw new TypeError(`platform-support.json: ${text} is no version`)
  return parsed
}

/** The seed's matrix; Samsung Knox is an Android here. A platform that is not in it cannot be managed. facts.md 9 */
export const platformSupport: ReadonlyMap<Platform, PlatformSupport> = new Map(
  rows.map((row) => [
    row.platform as Platform,
    {
      onPremises: version(row.onPremises),
      online: version(row.online),
      domainJoined: row.domainJoined === undefined ? undefined : version(row.domainJoined),
    },
  ]),
)
