import t from 'tap'
import { bytesOf, child, children, element, textOf } from '#eas/wbxml/element.ts'

const root = element(
  'AirSync:Collection',
  element('AirSync:SyncKey', '7'),
  element(
    'AirSync:Commands',
    element('AirSync:Add', element('AirSync:ServerId', 'inner')),
    element('AirSync:Add'),
  ),
  element('AirSync:ServerId', 'first'),
  element('AirSync:ServerId', 'second'),
)

void t.test('finds direct children, not deeper ones', async (t) => {
  t.equal(textOf(child(root, 'AirSync:ServerId')), 'first')
  t.equal(child(root, 'AirSync:Add'), undefined)
  t.equal(children(root).length, 4)
  t.strictSame(children(root, 'AirSync:ServerId').map(textOf), ['first', 'second'])
  t.equal(children(child(root, 'AirSync:Commands'), 'AirSync:Add').length, 2)
})

void t.test('walks on through what is absent', async (t) => {
  t.equal(textOf(child(child(root, 'AirSync:Options'), 'AirSync:FilterType')), undefined)
  t.strictSame(children(child(root, 'AirSync:Options')), [])
  t.equal(bytesOf(undefined), undefined)
})

void t.test('gives text and bytes whichever way they were written', async (t) => {
  const mixed = element('Email:Subject', 'é', new Uint8Array([0x31, 0x32]), element('Email:Read', '0'), '3')
  t.equal(textOf(mixed), 'é123')
  t.same(bytesOf(mixed), Buffer.from('é123'))
  t.equal(textOf(element('Email:Subject', new Uint8Array([0x61, 0xff]))), 'a\ufffd')
  const bytes = new Uint8Array([1, 2, 3])
  t.equal(bytesOf(element('ComposeMail:Mime', bytes)), bytes)
})

void t.test('tells an empty element from an absent one', async (t) => {
  t.equal(textOf(element('AirSync:SyncKey')), '')
  t.equal(bytesOf(element('AirSync:SyncKey'))?.length, 0)
})
