import type { ClientIdentity } from '#eas/client/identify-client.ts'
import { compareVersions, parseVersion, type Version } from '#eas/client/os-version.ts'
import { platformOf, type Platform } from '#eas/client/platform.ts'
import type { DeviceFacts } from './facts.ts'

/** One device as record and client together show it. Where both speak, the record counts: a claim is only a claim. */
export interface DeviceView {
  readonly platform: Platform
  /** True where the record names the platform. */
  readonly platformOnRecord: boolean
  /** As text; undefined where neither tells. */
  readonly osVersion: string | undefined
  readonly model: string
}

/** @param client by its own claims */
export function viewDevice(record: DeviceFacts | undefined, client: ClientIdentity): DeviceView {
  const recorded = record?.platform === undefined ? 'unknown' : platformOf(record.platform)
  const onRecord = recorded !== 'unknown'
  const platform = onRecord ? recorded : client.platform
  // a version that the client claims of another system says nothing of this one
  const claimed =
    platform === client.platform && client.osVersion !== 'unknown' ? client.osVersion : undefined
  return {
    platform,
    platformOnRecord: onRecord,
    osVersion: record?.osVersion ?? claimed,
    model: record?.model ?? client.model,
  }
}

/** Windows as it is sold, and as it calls itself: they cannot be compared with each other. */
const soldAs: readonly (readonly [sold: Version, own: Version])[] = [
  [[7], [6, 1]],
  [[8], [6, 2]],
  [
    [8, 1],
    [6, 3],
  ],
]

/** The version of a device in the numbers that its system uses itself; undefined where it is not known. */
export function versionOf({
  platform,
  osVersion,
}: Pick<DeviceView, 'platform' | 'osVersion'>): Version | undefined {
  const version = osVersion === undefined ? undefined : parseVersion(osVersion)
  if (version === undefined || platform !== 'Windows') return version
  return soldAs.find(([sold]) => compareVersions(sold, version) === 0)?.[1] ?? version
}
