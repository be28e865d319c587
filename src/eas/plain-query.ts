import { commandFromName } from './commands.ts'
import { isDeviceId } from './device-id.ts'
import { EasError } from './errors.ts'
import type { EasQuery } from './eas-query.ts'
import { hasControl } from './text.ts'

/** The parameters of [MS-ASHTTP] 2.2.1.1.1.2.1 and the two withdrawn ones; anything else is refused. T-05 */
const parameters = new Map(
  [
    'Cmd',
    'User',
    'DeviceId',
    'DeviceType',
    'AttachmentName',
    'CollectionId',
    'CollectionName',
    'ItemId',
    'LongId',
    'ParentId',
    'Occurrence',
    'SaveInSent',
  ].map((name) => [name.toLowerCase(), name]),
)

// What RFC 3986 allows in a query, less what some server splits at or decodes in its own way: ; + [ ] and a second ?
// A raw \ is outside of it, but a client may write DOMAIN\user so, and in a query every server reads it alike.
const forbiddenCharacter = /[^A-Za-z0-9\-._~!$&'()*,:@/=%\\]/
const name = /^[A-Za-z]+$/
const visibleAscii = /^[\x21-\x7e]+$/
const looksBase64 = /^[A-Za-z0-9+/]{8,}={0,2}$/

/** The parameters of a plain query by their canonical name, each decoded once. T-03, T-04, T-05 */
export function plainParameters(query: string): Map<string, string> {
  const values = new Map<string, string>()
  let offset = 0
  for (const part of query.split('&')) {
    const equals = part.indexOf('=')
    const canonical = equals === -1 ? undefined : parameters.get(part.slice(0, equals).toLowerCase())
    if (canonical === undefined) throw unknownPart(part, equals, offset)
    const forbidden = part.search(forbiddenCharacter)
    if (forbidden !== -1) {
      throw new EasError(
        'EAS_QUERY_CHARACTER',
        'a character that servers read in different ways',
        offset + forbidden,
      )
    }
    if (values.has(canonical))
      throw new EasError('EAS_PARAMETER_REPEATED', `${canonical} is given twice`, offset)
    values.set(canonical, decodeValue(part.slice(equals + 1), offset + equals + 1))
    offset += part.length + 1
  }
  return values
}

function unknownPart(part: string, equals: number, offset: number): EasError {
  if (looksBase64.test(part)) {
    return new EasError('EAS_QUERY_MIXED', 'a base64 query stands beside plain parameters', offset)
  }
  const forbidden = part.search(forbiddenCharacter)
  if (forbidden !== -1) {
    return new EasError(
      'EAS_QUERY_CHARACTER',
      'a character that servers read in different ways',
      offset + forbidden,
    )
  }
  if (equals === -1 || !name.test(part.slice(0, equals))) {
    return new EasError('EAS_PARAMETER_NAME', 'expected name=value with a name of letters', offset)
  }
  return new EasError('EAS_PARAMETER_UNKNOWN', 'an unknown parameter', offset)
}

/** Percent-decodes once; what could be decoded again, or in another way, is refused. T-04 */
function decodeValue(text: string, offset: number): string {
  if (!text.includes('%')) return text
  const badEscape = text.search(/%(?![0-9A-Fa-f]{2})/)
  if (badEscape !== -1) {
    throw new EasError('EAS_VALUE_ENCODING', 'two hex digits must follow %', offset + badEscape)
  }
  let value: string
  try {
    value = decodeURIComponent(text)
  } catch {
    throw new EasError('EAS_VALUE_ENCODING', 'the value is not UTF-8', offset)
  }
  if (value.includes('%') || hasControl(value)) {
    throw new EasError(
      'EAS_VALUE_ENCODING',
      'the value is encoded twice or holds a control character',
      offset,
    )
  }
  return value
}

/**
 * Reads a plain query. [MS-ASHTTP] 2.2.1.1.1.2
 * @throws {EasError} see `parseQuery`
 */
export function parsePlainQuery(query: string): EasQuery {
  const values = plainParameters(query)
  const commandName = values.get('Cmd')
  if (commandName === undefined) throw new EasError('EAS_COMMAND_MISSING', 'a POST needs Cmd')
  const command = commandFromName(commandName)
  if (command === undefined) throw new EasError('EAS_COMMAND_UNKNOWN', 'Cmd names no command')
  const deviceId = values.get('DeviceId')
  if (deviceId === undefined) throw new EasError('EAS_DEVICE_ID_MISSING', 'a POST needs DeviceId')
  const deviceType = values.get('DeviceType')
  if (deviceType === undefined) throw new EasError('EAS_DEVICE_TYPE_MISSING', 'a POST needs DeviceType')
  checkSaveInSent(values.get('SaveInSent'))
  return {
    form: 'plain',
    command,
    deviceId: checkDeviceId(deviceId),
    deviceType: checkDeviceType(deviceType),
    user: checkUser(values.get('User')),
    protocolVersion: undefined,
    policyKey: undefined,
    acceptMultiPart: false,
  }
}

/**
 * Reads the query of an OPTIONS request, which may lack everything; `Cmd` may only be `Options`. It is not forwarded,
 * but what stands in it must still be well-formed. [MS-ASHTTP] 2.2.3
 * @returns the `User` parameter, the one thing of it that is judged
 */
export function parseOptionsQuery(query: string | undefined): string | undefined {
  if (query === undefined || query === '') return undefined
  const values = plainParameters(query)
  const command = values.get('Cmd')
  if (command !== undefined && command.toLowerCase() !== 'options') {
    throw new EasError('EAS_COMMAND_UNKNOWN', 'OPTIONS takes no Cmd but Options')
  }
  const deviceId = values.get('DeviceId')
  if (deviceId !== undefined) checkDeviceId(deviceId)
  return checkUser(values.get('User'))
}

/** @throws {EasError} EAS_DEVICE_ID_INVALID T-02 */
export function checkDeviceId(deviceId: string): string {
  if (isDeviceId(deviceId)) return deviceId
  throw new EasError('EAS_DEVICE_ID_INVALID', 'DeviceId must be 1 to 64 letters, digits, -, _ or .')
}

/** @throws {EasError} EAS_DEVICE_TYPE_INVALID */
export function checkDeviceType(deviceType: string): string {
  if (visibleAscii.test(deviceType) && deviceType.length <= 255 && !deviceType.includes(','))
    return deviceType
  throw new EasError(
    'EAS_DEVICE_TYPE_INVALID',
    'DeviceType must be 1 to 255 visible characters without a comma',
  )
}

/**
 * A blank inside is part of an old logon name; around it, servers trim or do not.
 * @throws {EasError} EAS_USER_INVALID T-15
 */
export function checkUser(user: string | undefined): string | undefined {
  if (user === undefined) return undefined
  if (user !== '' && user.length <= 320 && user.trim() === user && !user.includes(',')) return user
  throw new EasError('EAS_USER_INVALID', 'User must be one name of 1 to 320 characters')
}

function checkSaveInSent(saveInSent: string | undefined): void {
  if (saveInSent !== undefined && !/^[TF]$/i.test(saveInSent)) {
    throw new EasError('EAS_VALUE_INVALID', 'SaveInSent must be T or F')
  }
}
