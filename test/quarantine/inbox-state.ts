import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import t from 'tap'
import type { Notice } from '#quarantine/mailbox.ts'
import {
  inboxKey,
  itemOfServerId,
  nextStep,
  openInboxKey,
  serverIdOf,
  noticeDigest,
  type InboxState,
} from '#quarantine/inbox-state.ts'
import { sealKey } from '#quarantine/sync-key.ts'
import {
  ask,
  itemIdOf,
  keyOf,
  notice,
  now,
  otherNotice,
  testMailbox,
  textsAt,
  treeOf,
} from '../support/quarantine.ts'
import type { TreeJson } from '../support/wbxml-fixtures.ts'

// One seed, so that a failure of today is a failure of tomorrow.
const seed = 4711

const state: fc.Arbitrary<InboxState> = fc.record(
  {
    step: fc.nat({ max: 0xffff }),
    receivedSeconds: fc.nat({ max: 0xff_ff_ff_ff }),
    item: fc.constantFrom('none', 'unread', 'read', 'deleted'),
    digest: fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('hex')),
    choice: fc.record(
      {
        type: fc.constantFrom(1, 2, 4),
        maxBytes: fc.oneof(fc.constant(Infinity), fc.nat({ max: 0xff_ff_ff_fe })),
        allOrNone: fc.boolean(),
        previewCharacters: fc.nat({ max: 255 }),
      },
      { noNullPrototype: true },
    ),
  },
  { noNullPrototype: true },
)

void t.test('a key of at most 64 characters carries the whole state', async (t) => {
  const mailbox = testMailbox()
  fc.assert(
    fc.property(state, (before) => {
      const key = inboxKey(mailbox, before)
      assert(key.length <= 64)
      assert.deepEqual(openInboxKey(mailbox, key), before)
    }),
    { seed, numRuns: 1000 },
  )
  t.equal(
    inboxKey(mailbox, nextStep({ ...sample(), step: 0xffff })),
    inboxKey(mailbox, { ...sample(), step: 0 }),
  )
})

void t.test('a signed state of another form starts the client at 0', async (t) => {
  const mailbox = testMailbox()
  t.notOk(openInboxKey(mailbox, sealKey(mailbox, 'easgate-inbox', Buffer.alloc(20, 1))))
  t.notOk(openInboxKey(mailbox, sealKey(mailbox, 'easgate-inbox', Buffer.alloc(21, 2))))
})

function sample(): InboxState {
  const [first] = fc.sample(state, { seed, numRuns: 1 })
  if (first === undefined) throw new Error('no sample')
  return first
}

void t.test('a ServerId names the message of now, in one spelling', async (t) => {
  const id = { receivedSeconds: 1_767_323_045, digest: noticeDigest(notice) }
  const serverId = serverIdOf(id)
  t.match(serverId, /^easgate-inbox:[\w-]{16}$/)
  t.strictSame(itemOfServerId(serverId, notice), id)
  t.notOk(itemOfServerId(serverId, otherNotice))
  for (const other of [`${serverId}=`, serverId.replace(':', ' '), '5:1', '', `x${serverId}`]) {
    t.notOk(itemOfServerId(other, notice), other)
  }
})

void t.test('each part of a message makes it another', async (t) => {
  const changes: readonly Partial<Notice>[] = [
    { subject: 'a' },
    { senderName: 'b' },
    { text: 'c' },
    { html: 'd' },
  ]
  const digests = [notice, ...changes.map((change) => ({ ...notice, ...change }))].map(noticeDigest)
  t.equal(new Set(digests).size, 5)
})

/** One folder of a phone: it keeps key and items, and does what an answer says. */
class PhoneFolder {
  syncKey = '0'
  readonly items = new Map<string, 'unread' | 'read'>()

  /** Syncs once. A lost answer changes nothing here. */
  sync(
    mailbox: ReturnType<typeof testMailbox>,
    fate: 'taken' | 'lost',
    ...commands: TreeJson[]
  ): TreeJson | undefined {
    const answer = ask('Sync', '14.1', request(this.syncKey, ...commands), mailbox)
    assert(answer.kind === 'answer' && answer.status === 200)
    if (fate === 'lost' || answer.body.length === 0) return undefined
    const root = treeOf(answer)
    const collections = ['AirSync:Collections', 'AirSync:Collection'] as const
    assert.deepEqual(textsAt(root, ...collections, 'AirSync:Status'), ['1'])
    assert.deepEqual(textsAt(root, ...collections, 'AirSync:Responses'), [])
    const [syncKey = ''] = textsAt(root, ...collections, 'AirSync:SyncKey')
    assert(syncKey !== this.syncKey && syncKey.length <= 64)
    this.syncKey = syncKey
    for (const id of textsAt(
      root,
      ...collections,
      'AirSync:Commands',
      'AirSync:Delete',
      'AirSync:ServerId',
    )) {
      assert(this.items.delete(id), 'an item is deleted that the phone does not have')
    }
    for (const id of textsAt(root, ...collections, 'AirSync:Commands', 'AirSync:Add', 'AirSync:ServerId')) {
      assert(!this.items.has(id), 'an item comes twice')
      this.items.set(id, 'unread')
    }
    return root
  }
}

const notices = [notice, otherNotice, { ...notice, subject: 'Again' }] as const

void t.test('a phone has the message of now once, whatever is lost or changes on the way', async (t) => {
  const event = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('sync' as const), lost: fc.boolean() }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constantFrom('read' as const, 'delete' as const), lost: fc.boolean() }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('change' as const), to: fc.nat({ max: 2 }) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('later' as const), seconds: fc.nat({ max: 1000 }) }),
    },
  )
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), (events) => {
      const phone = new PhoneFolder()
      let mailbox = testMailbox()
      let deleted: string | undefined
      for (const happening of events) {
        if (happening.kind === 'change') mailbox = { ...mailbox, notice: notices[happening.to] ?? notice }
        else if (happening.kind === 'later')
          mailbox = { ...mailbox, now: mailbox.now + happening.seconds * 1000 }
        else {
          const fate = happening.lost ? 'lost' : 'taken'
          const [id] = phone.items.keys()
          if (happening.kind === 'sync' || id === undefined || phone.syncKey === '0')
            phone.sync(mailbox, fate)
          else {
            // a phone does its own part before it tells of it
            const isDelete = happening.kind === 'delete'
            const change: TreeJson = isDelete
              ? ['AirSync:Delete', ['AirSync:ServerId', id]]
              : ['AirSync:Change', ['AirSync:ServerId', id], ['AirSync:ApplicationData', ['Email:Read', '1']]]
            // lost once, it is sent again with the same key
            if (fate === 'lost') phone.sync(mailbox, 'lost', change)
            if (isDelete) {
              phone.items.delete(id)
              deleted = id
            }
            phone.sync(mailbox, 'taken', change)
          }
        }
        assert(phone.items.size <= 1)
      }
      for (let round = 0; round < 5; round += 1) phone.sync(mailbox, 'taken')
      const digest = noticeDigest(mailbox.notice)
      const held = [...phone.items.keys()]
      const wanted = held.filter((id) => itemOfServerId(id, mailbox.notice)?.digest === digest)
      const gone = deleted !== undefined && itemOfServerId(deleted, mailbox.notice)?.digest === digest
      assert(held.length === wanted.length && (held.length === 1 || gone), 'stale or missing')
    }),
    { seed, numRuns: 1500 },
  )
  t.pass()
})

function request(syncKey: string, ...commands: readonly TreeJson[]): TreeJson {
  const collection: TreeJson = [
    'AirSync:Collection',
    ['AirSync:SyncKey', syncKey],
    ['AirSync:CollectionId', 'easgate-inbox'],
    ...(commands.length === 0 ? [] : [['AirSync:Commands', ...commands] satisfies TreeJson]),
  ]
  return ['AirSync:Sync', ['AirSync:Collections', collection]]
}

void t.test('a client that lost an answer gets the same one again', async (t) => {
  const later = testMailbox({ now: now + 3_600_000 })
  const first = ask('Sync', '16.1', request(keyOf(0, 'none')))
  t.strictSame(ask('Sync', '16.1', request(keyOf(0, 'none')), later), first)
  t.match(JSON.stringify(treeOf(first)), '2026-01-02T03:04:05.000Z', 'the date is that of the key')
})

void t.test('a changed message goes and comes under a new id and date', async (t) => {
  const changed = testMailbox({ notice: otherNotice, now: now + 3_600_000 })
  const phone = new PhoneFolder()
  phone.sync(testMailbox(), 'taken')
  phone.sync(testMailbox(), 'taken')
  t.strictSame([...phone.items.keys()], [itemIdOf()])
  const removal = phone.sync(changed, 'taken')
  t.match(JSON.stringify(removal), 'AirSync:MoreAvailable')
  t.equal(phone.items.size, 0)
  const addition = phone.sync(changed, 'taken')
  t.notMatch(JSON.stringify(addition), 'AirSync:MoreAvailable')
  t.match(JSON.stringify(addition), '2026-01-02T04:04:05.000Z')
  t.strictSame([...phone.items.keys()], [itemIdOf(changed)])
})

void t.test('a deleted message that becomes another comes back', async (t) => {
  const phone = new PhoneFolder()
  phone.sync(testMailbox(), 'taken')
  phone.sync(testMailbox(), 'taken')
  phone.items.clear()
  phone.sync(testMailbox(), 'taken', ['AirSync:Delete', ['AirSync:ServerId', itemIdOf()]])
  const changed = testMailbox({ notice: otherNotice })
  phone.sync(changed, 'taken')
  phone.sync(changed, 'taken')
  t.strictSame([...phone.items.keys()], [itemIdOf(changed)])
})
