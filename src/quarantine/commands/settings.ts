import { isOlder, type ProtocolVersion } from '#eas/versions.ts'
import { child, children, element, type QualifiedName, type WbxmlElement } from '#eas/wbxml/element.ts'
import { documentAnswer, statusAnswer, text, type Answer } from '../answer.ts'
import type { QuarantinedCommand } from '../command.ts'

/**
 * Settings: what the device says of itself is taken, the user's address and an out-of-office state of off are given.
 * All else is 4 (not available now), so that the client knows that it was not set. shared/eas/protocol.md, section 14
 */
export function settings({ root, version, mailbox }: QuarantinedCommand): Answer {
  const properties = children(root)
  if (properties.length === 0 || properties.some(({ name }) => !propertyNames.has(name))) {
    return statusAnswer('Settings:Settings', 2)
  }
  const answers = properties.map((property) => answerProperty(property, version, mailbox.user))
  return documentAnswer(element('Settings:Settings', text('Settings:Status', 1), ...answers))
}

/** No other name of the request comes back in the answer. [MS-ASCMD] Settings */
const propertyNames: ReadonlySet<QualifiedName> = new Set([
  'Settings:Oof',
  'Settings:DevicePassword',
  'Settings:DeviceInformation',
  'Settings:UserInformation',
  'Settings:RightsManagementInformation',
])

function answerProperty(property: WbxmlElement, version: ProtocolVersion, user: string): WbxmlElement {
  const gets = child(property, 'Settings:Get') !== undefined
  const sets = child(property, 'Settings:Set') !== undefined
  const done = (...content: readonly WbxmlElement[]): WbxmlElement =>
    element(property.name, text('Settings:Status', 1), ...content)
  if (property.name === 'Settings:DeviceInformation' && sets) return done()
  if (property.name === 'Settings:UserInformation' && gets) return done(userInformation(version, user))
  if (property.name === 'Settings:Oof' && gets) {
    return done(element('Settings:Get', text('Settings:OofState', 0)))
  }
  return element(property.name, text('Settings:Status', 4))
}

/** From 14.1 on the addresses stand under Accounts. */
function userInformation(version: ProtocolVersion, user: string): WbxmlElement {
  const address = text('Settings:SMTPAddress', user)
  if (isOlder(version, '14.1')) return element('Settings:Get', element('Settings:EmailAddresses', address))
  const addresses = element('Settings:EmailAddresses', address, text('Settings:PrimarySmtpAddress', user))
  return element('Settings:Get', element('Settings:Accounts', element('Settings:Account', addresses)))
}
