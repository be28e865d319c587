import type { EasRequest } from '#eas/parse.ts'
import type { ProtocolVersion } from '#eas/versions.ts'
import type { WbxmlElement } from '#eas/wbxml/element.ts'
import type { QuarantineMailbox } from './mailbox.ts'

/** One command of a quarantined device, read. */
export interface QuarantinedCommand {
  readonly version: ProtocolVersion
  /** Undefined where the request has no body. */
  readonly root: WbxmlElement | undefined
  readonly mailbox: QuarantineMailbox
}

/** The version that a request is answered in; one without a version is of an old client. shared/eas/protocol.md, section 3 */
export function versionOf({ protocolVersion }: Pick<EasRequest, 'protocolVersion'>): ProtocolVersion {
  return protocolVersion ?? '2.5'
}
