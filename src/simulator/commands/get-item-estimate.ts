import type { WbxmlElement } from '#eas/wbxml/element.ts'
import { child, children, element, textOf } from '#eas/wbxml/element.ts'
import type { Answer } from '../answer.ts'
import { commonStatus, document, text } from '../answer.ts'
import { numberIn, readItemOptions } from '../body.ts'
import type { CommandContext } from '../context.ts'
import { classOf } from '../mailbox.ts'
import { differences } from '../sync-state.ts'

/** More collections than this are refused (protocol.md section 10). */
const maxCollections = 1000

/** GetItemEstimate: how many changes a Sync with that key would bring, collection by collection. */
export function getItemEstimate(context: CommandContext): Answer {
  const collections = children(
    child(context.document, 'GetItemEstimate:Collections'),
    'GetItemEstimate:Collection',
  )
  if (collections.length === 0 || collections.length > maxCollections) {
    return commonStatus('GetItemEstimate', context.version, 103)
  }
  const responses = collections.map((collection) => estimate(context, collection))
  return document(element('GetItemEstimate:GetItemEstimate', ...responses))
}

/** 2 no such collection, 3 not primed by a Sync with key 0, 4 wrong key (protocol.md section 9). */
function estimate(
  { account, device, organization, version }: CommandContext,
  asked: WbxmlElement,
): WbxmlElement {
  const collectionId = text(
    'GetItemEstimate:CollectionId',
    textOf(child(asked, 'GetItemEstimate:CollectionId')) ?? '',
  )
  const folder = account.mailbox.folder(textOf(collectionId) ?? '')
  const failed = (status: number): WbxmlElement =>
    element(
      'GetItemEstimate:Response',
      text('GetItemEstimate:Status', status),
      element('GetItemEstimate:Collection', collectionId),
    )
  if (folder === undefined) return failed(2)
  const key = textOf(child(asked, 'AirSync:SyncKey')) ?? '0'
  const stored = device.collections.get(folder.serverId)
  if (stored === undefined || key === '0') return failed(3)
  const state = [stored, stored.previous?.state].find((step) => step?.key === key)
  if (state === undefined) return failed(4)
  // Up to 12.1 the filter stands in the collection, later in its Options.
  const options = child(asked, 'AirSync:Options')
  const filterType = numberIn(options ?? asked, 'AirSync:FilterType') ?? state.options.filterType
  const given = options === undefined ? state.options : readItemOptions(options)
  const step = { known: state.known, options: { ...given, filterType } }
  const count = differences(account.mailbox, folder.serverId, step, organization.now()).length
  return element(
    'GetItemEstimate:Response',
    text('GetItemEstimate:Status', 1),
    element(
      'GetItemEstimate:Collection',
      ...(version < 121 ? [text('GetItemEstimate:Class', classOf(folder))] : []),
      collectionId,
      text('GetItemEstimate:Estimate', count),
    ),
  )
}
