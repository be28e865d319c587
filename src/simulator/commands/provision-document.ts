import type { QualifiedName, WbxmlElement } from '#eas/wbxml/element.ts'
import { element } from '#eas/wbxml/element.ts'
import { text } from '../answer.ts'
import type { ProtocolVersion } from '../versions.ts'

/** A permissive policy, in the order in which a running server was seen to send it. [MS-ASPROV] */
const settings: readonly (readonly [name: QualifiedName, value: string])[] = [
  ['Provision:DevicePasswordEnabled', '0'],
  ['Provision:AlphanumericDevicePasswordRequired', '0'],
  ['Provision:PasswordRecoveryEnabled', '0'],
  ['Provision:RequireStorageCardEncryption', '0'],
  ['Provision:AttachmentsEnabled', '1'],
  ['Provision:MinDevicePasswordLength', ''],
  ['Provision:MaxInactivityTimeDeviceLock', ''],
  ['Provision:MaxDevicePasswordFailedAttempts', ''],
  ['Provision:MaxAttachmentSize', ''],
  ['Provision:AllowSimpleDevicePassword', '1'],
  ['Provision:DevicePasswordExpiration', ''],
  ['Provision:DevicePasswordHistory', '0'],
]

/** What 12.1 added. */
const settingsOf121: typeof settings = [
  ['Provision:AllowStorageCard', '1'],
  ['Provision:AllowCamera', '1'],
  ['Provision:RequireDeviceEncryption', '0'],
  ['Provision:AllowUnsignedApplications', '1'],
  ['Provision:AllowUnsignedInstallationPackages', '1'],
  ['Provision:MinDevicePasswordComplexCharacters', '3'],
  ['Provision:AllowWiFi', '1'],
  ['Provision:AllowTextMessaging', '1'],
  ['Provision:AllowPOPIMAPEmail', '1'],
  ['Provision:AllowBluetooth', '2'],
  ['Provision:AllowIrDA', '1'],
  ['Provision:RequireManualSyncWhenRoaming', '0'],
  ['Provision:AllowDesktopSync', '1'],
  ['Provision:MaxCalendarAgeFilter', '0'],
  ['Provision:AllowHTMLEmail', '1'],
  ['Provision:MaxEmailAgeFilter', '0'],
  ['Provision:MaxEmailBodyTruncationSize', '-1'],
  ['Provision:MaxEmailHTMLBodyTruncationSize', '-1'],
  ['Provision:RequireSignedSMIMEMessages', '0'],
  ['Provision:RequireEncryptedSMIMEMessages', '0'],
  ['Provision:RequireSignedSMIMEAlgorithm', '0'],
  ['Provision:RequireEncryptionSMIMEAlgorithm', '0'],
  ['Provision:AllowSMIMEEncryptionAlgorithmNegotiation', '2'],
  ['Provision:AllowSMIMESoftCerts', '1'],
  ['Provision:AllowBrowser', '1'],
  ['Provision:AllowConsumerEmail', '1'],
  ['Provision:AllowRemoteDesktop', '1'],
  ['Provision:AllowInternetSharing', '1'],
  ['Provision:UnapprovedInROMApplicationList', ''],
  ['Provision:ApprovedApplicationList', ''],
]

/** The Data of the first phase: EASProvisionDoc. */
export function provisionDocument(version: ProtocolVersion): WbxmlElement {
  const known = version < 121 ? settings : [...settings, ...settingsOf121]
  const elements = known.map(([name, value]) => text(name, value))
  return element('Provision:Data', element('Provision:EASProvisionDoc', ...elements))
}

/** The Data for 2.5, which is text. */
export const wapProvisioning =
  '<wap-provisioningdoc><characteristic type="SecurityPolicy"><parm name="4131" value="1"/></characteristic>' +
  '</wap-provisioningdoc>'
