import { child, children, textOf, type WbxmlElement } from '#eas/wbxml/element.ts'
import { textAt } from './simulated-phone.ts'

/** One mail as the client shows it. */
export interface ClientItem {
  readonly subject: string
  readonly from: string
  readonly text: string
  read: boolean
}

/** One folder as the client holds it. */
export interface ClientFolder {
  readonly name: string
  readonly type: number
  /** By ServerId. */
  readonly items: Map<string, ClientItem>
  syncKey: string
}

/** A server did what no client can follow: an item twice, one that was never there, a request that never ends. */
export class Confused extends Error {
  override readonly name = 'Confused'
}

/** Takes the Changes of a FolderSync. */
export function takeFolders(folders: Map<string, ClientFolder>, changes: WbxmlElement | undefined): void {
  const [count, ...rest] = children(changes)
  if (textOf(count) !== String(rest.length)) throw new Confused('the count of the folders is wrong')
  for (const change of rest) {
    const id = textAt(change, 'FolderHierarchy:ServerId') ?? ''
    const known = folders.get(id)
    if ((known === undefined) !== (change.name === 'FolderHierarchy:Add')) {
      throw new Confused(`${change.name} of the folder ${id}`)
    }
    if (change.name === 'FolderHierarchy:Delete') folders.delete(id)
    else {
      const name = textAt(change, 'FolderHierarchy:DisplayName') ?? ''
      const type = Number(textAt(change, 'FolderHierarchy:Type') ?? known?.type)
      folders.set(id, { name, type, items: known?.items ?? new Map(), syncKey: known?.syncKey ?? '0' })
    }
  }
}

/** Takes one of the Commands of a Sync. */
export function takeItem({ name, items }: ClientFolder, command: WbxmlElement): void {
  const id = textAt(command, 'AirSync:ServerId') ?? ''
  const known = items.get(id)
  if ((known === undefined) !== (command.name === 'AirSync:Add')) {
    throw new Confused(`${command.name} of the item ${id} in ${name}`)
  }
  if (command.name === 'AirSync:Delete' || command.name === 'AirSync:SoftDelete') {
    items.delete(id)
    return
  }
  const shown = child(command, 'AirSync:ApplicationData')
  items.set(id, {
    subject: textAt(shown, 'Email:Subject') ?? known?.subject ?? '',
    from: textAt(shown, 'Email:From') ?? known?.from ?? '',
    text:
      textAt(shown, 'AirSyncBase:Body', 'AirSyncBase:Data') ??
      textAt(shown, 'Email:Body') ??
      known?.text ??
      '',
    read: (textAt(shown, 'Email:Read') ?? (known?.read === true ? '1' : '0')) === '1',
  })
}
