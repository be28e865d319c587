import { commandFromCode } from './commands.ts'
import { deviceIdFromBytes } from './device-id.ts'
import { EasError } from './errors.ts'
import { checkDeviceId, checkDeviceType, checkUser } from './plain-query.ts'
import type { EasQuery } from './eas-query.ts'
import { decodeUtf8, hasControl } from './text.ts'
import { versionFromByte } from './versions.ts'

const alphabet = /^[A-Za-z0-9+/]+={0,2}$/

const tagOptions = 7
const tagUser = 8
const knownOptions = 0x03
const acceptMultiPart = 0x02

/**
 * Reads a base64 query. [MS-ASHTTP] 2.2.1.1.1.1. The text must be the one spelling of its bytes (absent padding is
 * accepted): `Buffer.from` skips junk in silence, .NET skips white space only, so two readers would differ. T-06 to T-09
 * @throws {EasError} EAS_BASE64_*, EAS_QUERY_TRUNCATED and the codes of the fields, with the byte offset
 */
export function parseBase64Query(query: string): EasQuery {
  const bytes = decodeCanonical(query)
  if (bytes.length < 8) throw new EasError('EAS_QUERY_TRUNCATED', 'fewer than 8 bytes', bytes.length)

  const protocolVersion = versionFromByte(bytes.readUInt8(0))
  if (protocolVersion === undefined) throw new EasError('EAS_VERSION_UNKNOWN', 'unknown protocol version', 0)
  const command = commandFromCode(bytes.readUInt8(1))
  if (command === undefined) throw new EasError('EAS_COMMAND_UNKNOWN', 'unknown command code', 1)

  const deviceIdField = field(bytes, 4)
  if (deviceIdField.length === 0) throw new EasError('EAS_DEVICE_ID_MISSING', 'the device id is empty', 4)
  const policyKeyOffset = 5 + deviceIdField.length
  const policyKeyField = field(bytes, policyKeyOffset)
  if (policyKeyField.length !== 0 && policyKeyField.length !== 4) {
    throw new EasError('EAS_POLICY_KEY_LENGTH', 'a policy key has 0 or 4 bytes', policyKeyOffset)
  }
  const deviceTypeOffset = policyKeyOffset + 1 + policyKeyField.length
  const deviceTypeField = field(bytes, deviceTypeOffset)
  const parameters = readParameters(bytes, deviceTypeOffset + 1 + deviceTypeField.length)

  return {
    form: 'base64',
    command,
    deviceId: checkDeviceId(deviceIdFromBytes(deviceIdField)),
    deviceType: checkDeviceType(deviceTypeField.toString('latin1')),
    user: checkUser(parameters.user),
    protocolVersion,
    policyKey: policyKeyField.length === 4 ? policyKeyField.readUInt32LE(0) : undefined,
    acceptMultiPart: (parameters.options & acceptMultiPart) !== 0,
  }
}

function decodeCanonical(query: string): Buffer {
  if (query.includes('%'))
    throw new EasError('EAS_BASE64_PERCENT', 'a base64 query must not be percent-encoded')
  if (!alphabet.test(query)) throw new EasError('EAS_BASE64_INVALID', 'not the standard base64 alphabet')
  const bytes = Buffer.from(query, 'base64')
  const canonical = bytes.toString('base64')
  if (query !== canonical && query !== canonical.replace(/=+$/, '')) {
    throw new EasError('EAS_BASE64_INVALID', 'not the canonical base64 of its bytes')
  }
  return bytes
}

/** The bytes of a field whose length stands in one byte at `offset`. T-08 */
function field(bytes: Buffer, offset: number): Buffer {
  const length = bytes[offset]
  if (length === undefined || offset + 1 + length > bytes.length) {
    throw new EasError('EAS_QUERY_TRUNCATED', 'a length points past the end', offset)
  }
  return bytes.subarray(offset + 1, offset + 1 + length)
}

/** Tags 0 to 8, each at most once. [MS-ASHTTP] 2.2.1.1.1.1.3 */
function readParameters(bytes: Buffer, start: number): { user: string | undefined; options: number } {
  const seen = new Set<number>()
  let user: string | undefined
  let options = 0
  for (let offset = start; offset < bytes.length;) {
    const tag = bytes.readUInt8(offset)
    if (tag > tagUser) throw new EasError('EAS_PARAMETER_UNKNOWN', 'unknown parameter tag', offset)
    if (seen.has(tag)) throw new EasError('EAS_PARAMETER_REPEATED', 'a parameter tag is given twice', offset)
    seen.add(tag)
    const value = field(bytes, offset + 1)
    if (tag === tagUser) user = decodeText(value, offset)
    if (tag === tagOptions) options = readOptions(value, offset)
    offset += 2 + value.length
  }
  return { user, options }
}

function decodeText(value: Buffer, offset: number): string {
  const text = decodeUtf8(value)
  if (text === undefined) throw new EasError('EAS_VALUE_ENCODING', 'the value is not UTF-8', offset)
  if (hasControl(text) || text.includes('%')) {
    throw new EasError('EAS_VALUE_ENCODING', 'a control character or percent-encoding in a value', offset)
  }
  return text
}

function readOptions(value: Buffer, offset: number): number {
  const options = value[0]
  if (options === undefined || value.length !== 1 || (options & ~knownOptions) !== 0) {
    throw new EasError('EAS_VALUE_INVALID', 'Options is one byte of the bits 01 and 02', offset)
  }
  return options
}
