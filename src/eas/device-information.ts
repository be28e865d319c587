import type { QualifiedName } from './wbxml/element.ts'
import { scanWbxml } from './wbxml/scan.ts'

/**
 * What a client says of its device in Settings or Provision. [MS-ASCMD] DeviceInformation. Unverified text of at most
 * 1024 characters each; often the only place where the OS version stands.
 */
export interface DeviceInformation {
  readonly model?: string
  readonly imei?: string
  readonly friendlyName?: string
  /** By convention name and version, as in `iOS 16.5 20F66` or `Android 10`. */
  readonly os?: string
  readonly osLanguage?: string
  readonly phoneNumber?: string
  /** May differ from the header of that name. */
  readonly userAgent?: string
  readonly mobileOperator?: string
}

const fieldOf: ReadonlyMap<QualifiedName, keyof DeviceInformation> = new Map([
  ['Settings:Model', 'model'],
  ['Settings:IMEI', 'imei'],
  ['Settings:FriendlyName', 'friendlyName'],
  ['Settings:OS', 'os'],
  ['Settings:OSLanguage', 'osLanguage'],
  ['Settings:PhoneNumber', 'phoneNumber'],
  ['Settings:UserAgent', 'userAgent'],
  ['Settings:MobileOperator', 'mobileOperator'],
])
const roots: ReadonlySet<QualifiedName> = new Set(['Settings:Settings', 'Provision:Provision'])
const maxValueLength = 1024

/**
 * Reads `DeviceInformation/Set` of a Settings or Provision request, and no other `Set` (Oof and DevicePassword have one
 * too). An empty element gives no value; of a repeated one the first counts.
 * @returns undefined where the body has none, or cannot be read as far as that
 */
export function readDeviceInformation(body: Uint8Array): DeviceInformation | undefined {
  const values: { -readonly [Field in keyof DeviceInformation]: DeviceInformation[Field] } = {}
  let inDeviceInformation = false
  let inSet = false
  scanWbxml(body, (name, depth, text) => {
    if (depth === 0) return !roots.has(name)
    if (depth <= 2) {
      if (inSet) return true
      if (depth === 1) inDeviceInformation = name === 'Settings:DeviceInformation'
      else inSet = inDeviceInformation && name === 'Settings:Set'
      return false
    }
    const field = depth === 3 && inSet ? fieldOf.get(name) : undefined
    if (field === undefined || values[field] !== undefined) return false
    const value = text()
    if (value !== '') values[field] = value.slice(0, maxValueLength).toWellFormed()
    return false
  })
  return Object.keys(values).length === 0 ? undefined : values
}
