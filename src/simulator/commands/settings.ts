import type { WbxmlElement } from '#eas/wbxml/element.ts'
import { child, children, element, textOf } from '#eas/wbxml/element.ts'
import type { Answer } from '../answer.ts'
import { document, statusAnswer, text } from '../answer.ts'
import type { CommandContext } from '../context.ts'
import { storeDeviceInformation } from './device-information.ts'

/** Settings: each property of the request is answered, its Status first (protocol.md section 12). */
export function settings(context: CommandContext): Answer {
  const properties = children(context.document)
  if (properties.length === 0) return statusAnswer('Settings', 2)
  const answers = properties.map((property) => answerProperty(context, property))
  return document(element('Settings:Settings', text('Settings:Status', 1), ...answers))
}

function answerProperty(context: CommandContext, property: WbxmlElement): WbxmlElement {
  const get = child(property, 'Settings:Get')
  const set = child(property, 'Settings:Set')
  const done = (...content: readonly WbxmlElement[]): WbxmlElement =>
    element(property.name, text('Settings:Status', 1), ...content)
  if (property.name === 'Settings:DeviceInformation' && set !== undefined) {
    storeDeviceInformation(context.device, set)
    return done()
  }
  if (property.name === 'Settings:UserInformation' && get !== undefined) return done(userInformation(context))
  if (property.name === 'Settings:Oof' && get !== undefined) {
    return done(element('Settings:Get', text('Settings:OofState', context.account.oofState)))
  }
  if (property.name === 'Settings:Oof' && set !== undefined) {
    context.account.oofState = textOf(child(set, 'Settings:OofState')) ?? '0'
    return done()
  }
  // 4 unavailable: password recovery and rights management are not installed here (protocol.md section 9).
  return element(property.name, text('Settings:Status', 4))
}

/** From 14.1 addresses stand under Accounts. */
function userInformation({ account, version }: CommandContext): WbxmlElement {
  const address = text('Settings:SMTPAddress', account.upn)
  if (version < 141) return element('Settings:Get', element('Settings:EmailAddresses', address))
  const primary = text('Settings:PrimarySmtpAddress', account.upn)
  const addresses = element('Settings:EmailAddresses', address, primary)
  return element('Settings:Get', element('Settings:Accounts', element('Settings:Account', addresses)))
}
