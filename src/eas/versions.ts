/** Protocol versions from 2.5 to 16.1, oldest first. [MS-ASHTTP] 2.2.1.1.2.4 */
export const protocolVersions = ['2.5', '12.0', '12.1', '14.0', '14.1', '16.0', '16.1'] as const

export type ProtocolVersion = (typeof protocolVersions)[number]

const known = new Map<string, ProtocolVersion>(protocolVersions.map((version) => [version, version]))

/** The version a `MS-ASProtocolVersion` header names; undefined if unknown. */
export function versionFromText(text: string): ProtocolVersion | undefined {
  return known.get(text)
}

/**
 * The version that the first byte of a base64 query names, ten times the number; undefined if unknown. The form
 * exists from 12.1 on. [MS-ASHTTP] 2.2.1.1.1.1.1
 */
export function versionFromByte(byte: number): ProtocolVersion | undefined {
  return byte < 121 ? undefined : known.get((byte / 10).toFixed(1))
}

/** True where the first version is the older one. */
export function isOlder(one: ProtocolVersion, other: ProtocolVersion): boolean {
  return protocolVersions.indexOf(one) < protocolVersions.indexOf(other)
}

/**
 * True where refusals stand as a status in the body (14.0 and later), false where they are an HTTP status. A request
 * without a version header counts as an old one. [MS-ASCMD] 2.2.2
 */
export function hasBodyStatus(version: ProtocolVersion | undefined): boolean {
  return version !== undefined && protocolVersions.indexOf(version) >= protocolVersions.indexOf('14.0')
}
