import type { Answer } from './answer.ts'
import { commonStatus } from './answer.ts'
import type { CommandContext } from './context.ts'
import { versionText } from './versions.ts'

/**
 * What stops a command before it is looked at: a version that is not offered, a command that the version does not
 * have, a wipe that was asked, a policy key that does not fit. Undefined: go on.
 */
export function refuseAccess(context: CommandContext): Answer | undefined {
  const { request, version, device, behaviour } = context
  const { command } = request
  if (!behaviour.protocolVersions.includes(versionText(version))) return commonStatus(command, version, 138)
  if (!commandExists(command, version)) return commonStatus(command, version, 137)
  if (command === 'Provision') return undefined
  if (device.wipeRequested) {
    // Below 14.0: 403 to a client that sends no policy key, else 449 (protocol.md section 8, row 140).
    return version < 140 && request.policyKey === undefined
      ? { status: 403 }
      : commonStatus(command, version, 140)
  }
  const status = behaviour.requireProvisioning ? policyKeyFault(context) : undefined
  if (status === undefined) return undefined
  return behaviour.alwaysHttp449 ? { status: 449 } : commonStatus(command, version, status)
}

/** Commands and versions, protocol.md section 2. */
function commandExists(command: string, version: number): boolean {
  if (command === 'Find') return version >= 161
  if (command === 'GetAttachment') return version < 140
  if (command === 'Settings' || command === 'ItemOperations') return version >= 120
  return true
}

/**
 * 142 for a device that has no policy, 144 for a key that is not the device's. Ping carries no key (protocol.md section
 * 5), and a plain request without the header is served (section 16).
 */
function policyKeyFault({ request, device }: CommandContext): 142 | 144 | undefined {
  if (request.command === 'Ping') return undefined
  if (request.policyKey === undefined) return request.form === 'plain' ? undefined : 142
  if (request.policyKey === 0 || device.policyKey === undefined) return 142
  return request.policyKey === device.policyKey ? undefined : 144
}
