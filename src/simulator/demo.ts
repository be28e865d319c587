import type { Attachment, MessageDraft } from './message.ts'
import type { SimulatedUser } from './organization.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/**
 * The four users of the demo, password `demo`, each with a few messages of the last days.
 * @param now milliseconds since the epoch; the messages lie before it
 */
export function demoUsers(now: number): SimulatedUser[] {
  return [
    user('alice', 'Alice Adams', aliceMessages(now)),
    user('bob', 'Bob Brown', bobMessages(now)),
    user('carol', 'Carol Clark', carolMessages(now)),
    user('dave', 'Dave Dunn', daveMessages(now)),
  ]
}

function user(alias: string, displayName: string, messages: readonly MessageDraft[]): SimulatedUser {
  return { upn: `${alias}@example.com`, domain: 'EXAMPLE', password: 'demo', displayName, messages }
}

const alice = 'Alice Adams <alice@example.com>'
const bob = 'Bob Brown <bob@example.com>'
const carol = 'Carol Clark <carol@example.com>'
const dave = 'Dave Dunn <dave@example.com>'
const facilities = 'Facilities <facilities@example.com>'

const visitorCounts: Attachment = {
  name: 'visitors.csv',
  contentType: 'text/csv',
  content: Buffer.from('week,visitors\n41,118\n42,97\n43,131\n44,124\n'),
}
const packingList: Attachment = {
  name: 'packing list.txt',
  contentType: 'text/plain',
  content: Buffer.from('4 tables\n12 chairs\n1 projector\n2 extension leads\n'),
}
/** A grey pixel. */
const logo: Attachment = {
  name: 'logo.png',
  contentType: 'image/png',
  content: Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==',
    'base64',
  ),
  contentId: 'logo@example.com',
}

const lift = {
  from: facilities,
  subject: 'Lift out of service on Thursday',
  text: 'The lift in the north wing is serviced on Thursday from 9 to 12. Please use the stairs or the south wing.\r\n',
  html:
    '<html><body><p>The lift in the <b>north wing</b> is serviced on Thursday from 9 to 12.</p>' +
    '<p>Please use the stairs or the south wing.</p><img src="cid:logo@example.com"></body></html>',
  attachments: [logo],
}

function aliceMessages(now: number): MessageDraft[] {
  return [
    {
      from: bob,
      to: alice,
      subject: 'Visitor counts',
      text: 'Hi Alice,\r\n\r\nthe counts of the last four weeks are attached. Week 42 is low because of the holiday.\r\n\r\nBob\r\n',
      attachments: [visitorCounts, packingList],
      receivedAt: now - 40 * minuteMs,
    },
    { ...lift, to: alice, receivedAt: now - 5 * hourMs },
    {
      from: carol,
      to: alice,
      cc: dave,
      subject: 'Room for the workshop',
      text: 'Room 2.14 is booked for us on Monday, all day. It seats twenty.\r\n\r\nCarol\r\n',
      receivedAt: now - 2 * dayMs,
      read: true,
    },
  ]
}

function bobMessages(now: number): MessageDraft[] {
  return [
    {
      from: alice,
      to: bob,
      subject: 'Re: Visitor counts',
      text: 'Thank you. Could you add the numbers of the evening tours?\r\n\r\nAlice\r\n',
      receivedAt: now - 20 * minuteMs,
    },
    { ...lift, to: bob, receivedAt: now - 5 * hourMs },
    {
      from: dave,
      to: bob,
      subject: 'Van on Friday',
      text: 'The van is ours on Friday from noon. What goes in it is attached.\r\n\r\nDave\r\n',
      attachments: [packingList],
      receivedAt: now - 3 * dayMs,
      read: true,
    },
  ]
}

function carolMessages(now: number): MessageDraft[] {
  return [
    {
      from: dave,
      to: carol,
      subject: 'Notes from Tuesday',
      text: 'Carol,\r\n\r\nmy notes in short: the budget stands, the date moves by one week, the flyer needs a new map.\r\n\r\nDave\r\n',
      receivedAt: now - 90 * minuteMs,
    },
    { ...lift, to: carol, receivedAt: now - 5 * hourMs },
    {
      from: bob,
      to: carol,
      subject: 'Door counter',
      text: 'The counter at the door works again; its log since Monday is attached.\r\n\r\nBob\r\n',
      attachments: [visitorCounts],
      receivedAt: now - dayMs,
    },
  ]
}

function daveMessages(now: number): MessageDraft[] {
  return [
    {
      from: carol,
      to: dave,
      subject: 'Re: Notes from Tuesday',
      text: 'I can draw the map. Do you have the old flyer as a file?\r\n\r\nCarol\r\n',
      receivedAt: now - 30 * minuteMs,
    },
    { ...lift, to: dave, receivedAt: now - 5 * hourMs },
    {
      from: bob,
      to: dave,
      subject: 'Projector and leads',
      text: 'All of it is in the store room now, see the list.\r\n\r\nBob\r\n',
      attachments: [packingList],
      receivedAt: now - 4 * dayMs,
      read: true,
    },
  ]
}
