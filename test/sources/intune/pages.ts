import t from 'tap'
import type { GraphClient } from '#sources/intune/graph-client.ts'
import { graphCalls } from '#sources/intune/graph-calls.ts'
import { pages } from '#sources/intune/pages.ts'
import { intuneTest } from '../../support/intune.ts'

const { signal } = new AbortController()
const call = graphCalls.managedDevices
const origin = 'https://graph.example'

/** Pages by their URL; asks that were made, in order. */
function scripted(answers: Readonly<Record<string, unknown>>) {
  const asked: string[] = []
  const client: GraphClient = {
    ask: async ({ url }) => {
      asked.push(url)
      return (answers[url.slice(origin.length)] ?? {}) as Record<string, unknown>
    },
    urlOf: (path) => origin + path,
  }
  const read = async () => {
    const found: unknown[] = []
    const request = { call, url: `${origin}/a`, priority: 'low', signal, stamp: () => asked.length } as const
    for await (const { items, stamp } of pages(client, request)) found.push(...items, `asked ${stamp}`)
    return found
  }
  return { read, asked }
}

const page = (value: unknown, next?: unknown) => ({ value, '@odata.nextLink': next })

void t.test('follows nextLinks to the end, over empty pages too', async (t) => {
  const { read, asked } = scripted({
    '/a': page([1, 2], `${origin}/b?$skiptoken=x%2fY`),
    '/b?$skiptoken=x%2fY': page([], `${origin}/c`),
    '/c': page([3]),
  })
  t.same(await read(), [1, 2, 'asked 0', 'asked 1', 3, 'asked 2'])
  t.equal(asked.length, 3)
})

void t.test('the next page is asked for while one is used', async (t) => {
  const { read, asked } = scripted({ '/a': page([1], `${origin}/b`), '/b': page([2]) })
  const reading = read()
  await reading
  t.same(asked, [`${origin}/a`, `${origin}/b`])
})

void t.test('a nextLink that loops ends the reading', async (t) => {
  const toItself = scripted({ '/a': page([1], `${origin}/a`) })
  await t.rejects(toItself.read(), { code: 'GRAPH_BAD_ANSWER', message: /leads in a circle/ })
  const round = scripted({ '/a': page([1], `${origin}/b`), '/b': page([2], `${origin}/a`) })
  await t.rejects(round.read(), { message: /leads in a circle/ })
  t.equal(round.asked.length, 2)
})

void t.test('a link away from Graph is not followed: our token would go there', async (t) => {
  for (const link of [
    'https://graph.example.evil/b',
    'http://graph.example/b',
    '/b',
    7,
    'https://graph.example@evil/',
  ]) {
    await t.rejects(scripted({ '/a': page([1], link) }).read(), {
      message: /leads away from https:\/\/graph\.example/,
    })
  }
})

void t.test('a page without a list is told', async (t) => {
  for (const value of [undefined, null, {}, 'x']) {
    await t.rejects(scripted({ '/a': page(value) }).read(), { message: /holds no list/ })
  }
})

void t.test('against the double: pages, empty ones, and a loop', async (t) => {
  const { double, context } = await intuneTest(t, { generated: { devices: 250, users: 10 } })
  const { client } = context
  const read = async () => {
    const sizes: number[] = []
    const url = client.urlOf('/deviceManagement/managedDevices', { $select: 'id,deviceName', $top: '100' })
    for await (const { items } of pages(client, { call, url, priority: 'low', signal, stamp: () => 0 })) {
      sizes.push(items.length)
    }
    return sizes
  }
  t.same(await read(), [100, 100, 50])
  await double.behave({ lists: { emptyPageEvery: 2 } })
  const sizes = await read()
  t.ok(sizes.includes(0) && sizes.reduce((sum, size) => sum + size) === 250, sizes.join())
  await double.behave({ lists: { loopAtPage: 1 } })
  await t.rejects(read(), { message: /leads in a circle/ })
  await double.behave({ lists: { nextLinkOrigin: 'https://elsewhere.example' } })
  await t.rejects(read(), { message: /leads away from/ })
})
