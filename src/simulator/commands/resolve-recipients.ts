import { children, element, textOf } from '#eas/wbxml/element.ts'
import type { Answer } from '../answer.ts'
import { document, statusAnswer, text } from '../answer.ts'
import type { CommandContext } from '../context.ts'
import { findPeople } from '../search-index.ts'

/** ResolveRecipients from the address list. Per name: 1 one found, 2 several, 4 none. [MS-ASCMD] Status */
export function resolveRecipients({ document: request, organization }: CommandContext): Answer {
  const names = children(request, 'ResolveRecipients:To')
  if (names.length === 0) return statusAnswer('ResolveRecipients', 5)
  const responses = names.map((name) => {
    const people = findPeople(organization, textOf(name) ?? '')
    const status = people.length > 1 ? 2 : people.length === 1 ? 1 : 4
    return element(
      'ResolveRecipients:Response',
      name,
      text('ResolveRecipients:Status', status),
      text('ResolveRecipients:RecipientCount', people.length),
      ...people.map((person) =>
        element(
          'ResolveRecipients:Recipient',
          text('ResolveRecipients:Type', 1),
          text('ResolveRecipients:DisplayName', person.displayName),
          text('ResolveRecipients:EmailAddress', person.upn),
        ),
      ),
    )
  })
  const status = text('ResolveRecipients:Status', 1)
  return document(element('ResolveRecipients:ResolveRecipients', status, ...responses))
}
