import { randomInt } from 'node:crypto'
import type { WbxmlElement } from '#eas/wbxml/element.ts'
import { child, element, textOf } from '#eas/wbxml/element.ts'
import type { Answer } from '../answer.ts'
import { commonStatus, document, statusAnswer, text } from '../answer.ts'
import { numberIn } from '../body.ts'
import type { CommandContext } from '../context.ts'
import type { ProtocolVersion } from '../versions.ts'
import { storeDeviceInformation } from './device-information.ts'
import { provisionDocument, wapProvisioning } from './provision-document.ts'

/** Provision in two phases, and the remote wipe (protocol.md section 11). */
export function provision(context: CommandContext): Answer {
  const { device, version, account } = context
  const request = context.document
  const wipe = child(request, 'Provision:RemoteWipe')
  if (wipe !== undefined && device.wipeRequested) {
    const status = numberIn(wipe, 'Provision:Status') ?? 2
    context.onWipe(status)
    // The partnership ends with a wipe that worked: the device is a stranger afterwards.
    if (status === 1) account.devices.delete(device.deviceId.toLowerCase())
    return statusAnswer('Provision', 1)
  }
  if (device.wipeRequested) {
    return document(
      element('Provision:Provision', text('Provision:Status', 1), element('Provision:RemoteWipe')),
    )
  }
  const policy = child(child(request, 'Provision:Policies'), 'Provision:Policy')
  if (policy === undefined) return statusAnswer('Provision', 2)
  if (textOf(child(policy, 'Provision:PolicyType')) !== policyTypeOf(version))
    return policyAnswer(version, [], 3)
  const key = child(policy, 'Provision:PolicyKey')
  return key === undefined ? firstPhase(context) : secondPhase(context, policy, Number(textOf(key)))
}

function firstPhase(context: CommandContext): Answer {
  const { device, version } = context
  const information = child(child(context.document, 'Settings:DeviceInformation'), 'Settings:Set')
  const model = textOf(child(information, 'Settings:Model')) ?? ''
  if (version >= 141 && model === '') return commonStatus('Provision', version, 165)
  const stored: WbxmlElement[] = []
  if (information !== undefined) {
    storeDeviceInformation(device, information)
    stored.push(element('Settings:DeviceInformation', text('Settings:Status', 1)))
  }
  device.temporaryPolicyKey = newPolicyKey()
  const policy = version < 120 ? text('Provision:Data', wapProvisioning) : provisionDocument(version)
  return policyAnswer(version, stored, 1, text('Provision:PolicyKey', device.temporaryPolicyKey), policy)
}

function secondPhase(context: CommandContext, policy: WbxmlElement, key: number): Answer {
  const { device, version } = context
  if (key !== device.temporaryPolicyKey) return policyAnswer(version, [], 5)
  // 1 all and 2 partly applied are taken; 3 and 4 mean that the device does not follow the policy.
  const applied = numberIn(policy, 'Provision:Status') ?? 0
  if (applied !== 1 && applied !== 2) return statusAnswer('Provision', 139)
  device.temporaryPolicyKey = undefined
  device.policyKey = newPolicyKey()
  return policyAnswer(version, [], 1, text('Provision:PolicyKey', device.policyKey))
}

function policyAnswer(
  version: ProtocolVersion,
  before: readonly WbxmlElement[],
  status: number,
  ...rest: readonly WbxmlElement[]
): Answer {
  const policy = element(
    'Provision:Policy',
    text('Provision:PolicyType', policyTypeOf(version)),
    text('Provision:Status', status),
    ...rest,
  )
  const policies = element('Provision:Policies', policy)
  return document(element('Provision:Provision', ...before, text('Provision:Status', 1), policies))
}

function policyTypeOf(version: ProtocolVersion): string {
  return version < 120 ? 'MS-WAP-Provisioning-XML' : 'MS-EAS-Provisioning-WBXML'
}

/** An unsigned 32-bit number other than 0. */
function newPolicyKey(): number {
  return randomInt(1, 2 ** 32)
}
