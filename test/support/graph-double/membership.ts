import type { Table } from './table.ts'

/** One member of a group. */
export interface Member {
  readonly type: 'user' | 'group' | 'device'
  readonly id: string
}

/** Members of one group, each in a slot that stays its own, so that a page can go on where the last one ended. */
interface Members {
  /** Positions of generated users: from..to, without `to`. */
  readonly from: number
  readonly to: number
  readonly removed: Set<number>
  /** Undefined: taken away again. */
  readonly added: (Member | undefined)[]
}

/** Who is in which group. */
export interface Memberships {
  readonly create: (groupId: string, generatedUsers?: { readonly from: number; readonly to: number }) => void
  /** Gives false where nothing changed. */
  readonly add: (groupId: string, member: Member) => boolean
  readonly remove: (groupId: string, member: Member) => boolean
  /** The direct members from a slot on, and where to go on. */
  readonly direct: (groupId: string, slot: number, size: number) => MemberPage
  /** Members of the group and of the groups in it, each once. */
  readonly transitive: (groupId: string, slot: number, size: number, isEventual: boolean) => MemberPage
  /** Ids of the groups that have the member, directly or through others. */
  readonly groupsOf: (member: Member, isEventual: boolean) => readonly string[]
  /** Eventual reads see memberships as they are now, until `thaw`. */
  readonly freeze: () => void
  readonly thaw: () => void
}

export interface MemberPage {
  readonly members: readonly Member[]
  /** Undefined after the last. */
  readonly next: number | undefined
}

export function createMemberships(users: Table): Memberships {
  const current = new Map<string, Members>()
  let frozen: ReadonlyMap<string, Members> | undefined

  const isIn = (members: Members | undefined, { type, id }: Member): boolean => {
    if (members === undefined) return false
    if (members.added.some((member) => member?.type === type && member.id === id)) return true
    const position = type === 'user' && members.to > members.from ? users.positionOf(id) : undefined
    if (position === undefined || members.removed.has(position)) return false
    return position >= members.from && position < members.to
  }
  const inSlot = ({ from, to, removed, added }: Members, slot: number): Member | undefined => {
    if (slot >= to - from) return added[slot - (to - from)]
    const position = from + slot
    const id = removed.has(position) ? undefined : users.value(position, 'id')
    return typeof id === 'string' && users.has(position) ? { type: 'user', id } : undefined
  }

  return {
    create: (groupId, { from, to } = { from: 0, to: 0 }) => {
      current.set(groupId, { from, to, removed: new Set(), added: [] })
    },
    add: (groupId, member) => {
      const members = current.get(groupId)
      if (members === undefined || isIn(members, member)) return false
      const position = member.type === 'user' ? users.positionOf(member.id) : undefined
      if (position === undefined || !members.removed.delete(position)) members.added.push(member)
      return true
    },
    remove: (groupId, member) => {
      const members = current.get(groupId)
      if (members === undefined || !isIn(members, member)) return false
      const at = members.added.findIndex((added) => added?.type === member.type && added.id === member.id)
      const position = users.positionOf(member.id)
      if (at !== -1) members.added[at] = undefined
      else if (position !== undefined) members.removed.add(position)
      return true
    },
    direct: (groupId, slot, size) => {
      const members = current.get(groupId)
      if (members === undefined) return { members: [], next: undefined }
      return page(slotCount(members), (at) => inSlot(members, at), slot, size)
    },
    transitive: (groupId, slot, size, isEventual) => {
      const groups = isEventual ? (frozen ?? current) : current
      const ids = nestedIn(groups, groupId)
      const nested = ids.slice(1).map((id): Member => ({ type: 'group', id }))
      const sources = ids.flatMap((id) => groups.get(id) ?? [])
      const starts: number[] = []
      let count = nested.length
      for (const source of sources) {
        starts.push(count)
        count += slotCount(source)
      }
      const memberIn = (at: number): Member | undefined => {
        if (at < nested.length) return nested[at]
        const index = starts.findLastIndex((start) => start <= at)
        const source = sources[index]
        const member = source === undefined ? undefined : inSlot(source, at - (starts[index] ?? 0))
        if (member === undefined || member.type === 'group') return undefined
        return sources.slice(0, index).some((earlier) => isIn(earlier, member)) ? undefined : member
      }
      return page(count, memberIn, slot, size)
    },
    groupsOf: (member, isEventual) => {
      const groups = isEventual ? (frozen ?? current) : current
      const found = [...groups].filter(([, members]) => isIn(members, member)).map(([id]) => id)
      for (const id of found) {
        for (const [outer, members] of groups) {
          if (!found.includes(outer) && isIn(members, { type: 'group', id })) found.push(outer)
        }
      }
      return found
    },
    freeze: () => {
      const copies = [...current].map(([id, { from, to, removed, added }]): [string, Members] => [
        id,
        { from, to, removed: new Set(removed), added: [...added] },
      ])
      frozen = new Map(copies)
    },
    thaw: () => {
      frozen = undefined
    },
  }
}

function slotCount({ from, to, added }: Members): number {
  return to - from + added.length
}

/** The members in the slots from `slot` on; some slots are empty. */
function page(
  count: number,
  memberIn: (slot: number) => Member | undefined,
  slot: number,
  size: number,
): MemberPage {
  const members: Member[] = []
  let next = slot
  for (; next < count && members.length < size; next++) {
    const member = memberIn(next)
    if (member !== undefined) members.push(member)
  }
  return { members, next: next < count ? next : undefined }
}

/** Ids of the group and of those in it; groups may be in each other. */
function nestedIn(groups: ReadonlyMap<string, Members>, groupId: string): readonly string[] {
  const found = [groupId]
  for (const id of found) {
    for (const member of groups.get(id)?.added ?? []) {
      if (member?.type === 'group' && !found.includes(member.id)) found.push(member.id)
    }
  }
  return found
}
