import type { WbxmlElement } from '#eas/wbxml/element.ts'
import { child, children, element, textOf } from '#eas/wbxml/element.ts'
import type { Answer } from '../answer.ts'
import { document, text } from '../answer.ts'
import { readItemOptions } from '../body.ts'
import type { CommandContext } from '../context.ts'
import { mailElements } from '../item.ts'
import { folderIdOf } from '../mailbox.ts'
import type { Found } from '../search-index.ts'
import { findMail, findPeople, rangeOf } from '../search-index.ts'

/** Search in the mailbox or in the address list. Other stores are not here: Status 2 of the store. */
export function search(context: CommandContext): Answer {
  const store = child(context.document, 'Search:Store')
  const name = textOf(child(store, 'Search:Name'))?.toLowerCase()
  if (store === undefined || name === undefined) return answer(2)
  if (name === 'mailbox') return answer(1, storeElement(mailboxResults(context, store)))
  if (name === 'gal') return answer(1, storeElement(galResults(context, store)))
  return answer(1, element('Search:Store', text('Search:Status', 2)))
}

function answer(status: number, ...stores: readonly WbxmlElement[]): Answer {
  const response = stores.length === 0 ? [] : [element('Search:Response', ...stores)]
  return document(element('Search:Search', text('Search:Status', status), ...response))
}

/** No hits: one empty Result, no Range. */
function storeElement({ results, range, total }: Found<WbxmlElement>): WbxmlElement {
  const status = text('Search:Status', 1)
  if (results.length === 0) return element('Search:Store', status, element('Search:Result'))
  return element('Search:Store', status, ...results, text('Search:Range', range), text('Search:Total', total))
}

function mailboxResults(context: CommandContext, store: WbxmlElement): Found<WbxmlElement> {
  const { account, version } = context
  const query = child(store, 'Search:Query')
  // From 12.1 the terms stand under And; before, the query is the term.
  const terms = child(query, 'Search:And') ?? query
  const words = textOf(child(terms, 'Search:FreeText')) ?? textOf(terms) ?? ''
  const folderIds = children(terms, 'AirSync:CollectionId').map((id) => textOf(id) ?? '')
  const options = child(store, 'Search:Options')
  const found = rangeOf(findMail(account.mailbox, words, folderIds), textOf(child(options, 'Search:Range')))
  const results = found.results.map((message) =>
    element(
      'Search:Result',
      text('AirSync:Class', 'Email'),
      text('Search:LongId', message.serverId),
      text('AirSync:CollectionId', folderIdOf(message.serverId)),
      element(
        'Search:Properties',
        ...mailElements(account.mailbox, message, version, readItemOptions(options)),
      ),
    ),
  )
  return { ...found, results }
}

function galResults({ organization }: CommandContext, store: WbxmlElement): Found<WbxmlElement> {
  const words = textOf(child(store, 'Search:Query')) ?? ''
  const range = textOf(child(child(store, 'Search:Options'), 'Search:Range'))
  const found = rangeOf(findPeople(organization, words), range)
  const results = found.results.map((person) => {
    const [firstName = '', ...lastNames] = person.displayName.split(' ')
    return element(
      'Search:Result',
      element(
        'Search:Properties',
        text('Gal:DisplayName', person.displayName),
        text('Gal:Alias', person.alias),
        text('Gal:FirstName', firstName),
        text('Gal:LastName', lastNames.join(' ')),
        text('Gal:EmailAddress', person.upn),
      ),
    )
  })
  return { ...found, results }
}
