import { isOlder, type ProtocolVersion } from '#eas/versions.ts'
import { child, element, textOf, type WbxmlElement } from '#eas/wbxml/element.ts'
import { documentAnswer, statusAnswer, text, type Answer } from '../answer.ts'
import type { QuarantinedCommand } from '../command.ts'
import { policyKey } from '../sync-key.ts'

/** What a policy says that asks for nothing: no passcode. The parameter 4131 is 1 where none is needed. */
const wapProvisioning =
  '<wap-provisioningdoc><characteristic type="SecurityPolicy"><parm name="4131" value="1"/></characteristic>' +
  '</wap-provisioningdoc>'
const provisionDocument = element('Provision:EASProvisionDoc', text('Provision:DevicePasswordEnabled', 0))

/**
 * Provision: a policy that asks for nothing, in the two steps of every Exchange mailbox. "There is no policy" (2) would
 * be true as well, but some clients take it as a failure and stop there. Never a RemoteWipe: a wipe that was ordered
 * comes from Exchange, whose Provision is forwarded. After release Exchange does not know our policy key and asks for
 * its own. [MS-ASPROV], shared/eas/protocol.md, section 11
 */
export function provision({ root, version, mailbox }: QuarantinedCommand): Answer {
  const policy = child(child(root, 'Provision:Policies'), 'Provision:Policy')
  if (policy === undefined) return statusAnswer('Provision:Provision', 2)
  const heard =
    child(root, 'Settings:DeviceInformation') === undefined
      ? []
      : [element('Settings:DeviceInformation', text('Settings:Status', 1))]
  if (textOf(child(policy, 'Provision:PolicyType')) !== policyTypeOf(version)) {
    return policyAnswer(version, heard, text('Provision:Status', 3))
  }
  const acknowledged = textOf(child(policy, 'Provision:PolicyKey'))
  if (acknowledged === undefined) {
    return policyAnswer(
      version,
      heard,
      text('Provision:Status', 1),
      text('Provision:PolicyKey', policyKey(mailbox, 'temporary')),
      element('Provision:Data', isOlder(version, '12.0') ? wapProvisioning : provisionDocument),
    )
  }
  if (acknowledged !== String(policyKey(mailbox, 'temporary'))) {
    return policyAnswer(version, heard, text('Provision:Status', 5))
  }
  return policyAnswer(
    version,
    heard,
    text('Provision:Status', 1),
    text('Provision:PolicyKey', policyKey(mailbox, 'final')),
  )
}

function policyAnswer(
  version: ProtocolVersion,
  heard: readonly WbxmlElement[],
  ...rest: readonly WbxmlElement[]
): Answer {
  const policy = element('Provision:Policy', text('Provision:PolicyType', policyTypeOf(version)), ...rest)
  const policies = element('Provision:Policies', policy)
  return documentAnswer(element('Provision:Provision', ...heard, text('Provision:Status', 1), policies))
}

function policyTypeOf(version: ProtocolVersion): string {
  return isOlder(version, '12.0') ? 'MS-WAP-Provisioning-XML' : 'MS-EAS-Provisioning-WBXML'
}
