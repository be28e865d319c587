import type { WbxmlElement } from '#eas/wbxml/element.ts'
import { children, textOf } from '#eas/wbxml/element.ts'
import type { Device } from '../device.ts'

/** Keeps what a device tells of itself, in Settings or in the first Provision (protocol.md section 12). */
export function storeDeviceInformation(device: Device, set: WbxmlElement): void {
  device.information = Object.fromEntries(
    children(set).map((property) => [
      property.name.slice(property.name.indexOf(':') + 1),
      textOf(property) ?? '',
    ]),
  )
}
