/** The fields of a base64 query in their order. [MS-ASHTTP] 2.2.1.1.1.1 */
export interface Base64Fields {
  /** Ten times the version. */
  readonly version: number
  readonly command: number
  readonly deviceId: Uint8Array
  readonly policyKey?: number | undefined
  readonly deviceType: string
  readonly parameters?: readonly (readonly [tag: number, value: Uint8Array])[]
}

/** Writes a base64 query, with padding. Values are not checked, so that wrong ones can be written too. */
export function base64Query(fields: Base64Fields): string {
  const { version, command, deviceId, policyKey, deviceType, parameters = [] } = fields
  const key = Buffer.alloc(policyKey === undefined ? 0 : 4)
  if (policyKey !== undefined) key.writeUInt32LE(policyKey)
  return Buffer.concat([
    Buffer.from([version, command, 0x09, 0x04]),
    lengthed(deviceId),
    lengthed(key),
    lengthed(Buffer.from(deviceType, 'latin1')),
    ...parameters.flatMap(([tag, value]) => [Buffer.from([tag]), lengthed(value)]),
  ]).toString('base64')
}

function lengthed(value: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([value.length]), value])
}
