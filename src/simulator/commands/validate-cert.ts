import { child, children, element } from '#eas/wbxml/element.ts'
import type { Answer } from '../answer.ts'
import { document, statusAnswer, text } from '../answer.ts'
import type { CommandContext } from '../context.ts'

/** ValidateCert: this server trusts no issuer, so each certificate is 4, untrusted source. [MS-ASCMD] Status */
export function validateCert({ document: request }: CommandContext): Answer {
  const certificates = children(child(request, 'ValidateCert:Certificates'), 'ValidateCert:Certificate')
  if (certificates.length === 0) return statusAnswer('ValidateCert', 2)
  const results = certificates.map(() => element('ValidateCert:Certificate', text('ValidateCert:Status', 4)))
  return document(element('ValidateCert:ValidateCert', text('ValidateCert:Status', 1), ...results))
}
