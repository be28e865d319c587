import t from 'tap'
import { manualClock } from '../../support/manual-clock.ts'
import { httpSourceTest, mdmDevice, testMdm } from '../../support/mdm.ts'

const alice = 'alice@example.com'

void t.test('an outage that a look-up meets is over with the next one that goes well', async (t) => {
  const mdm = await testMdm(t, (_url, _req, res) => void res.writeHead(500).end())
  const { refresh, httpSource, events } = httpSourceTest(t, { lookupUrl: `${mdm.origin}/{user}/{deviceId}` })
  await t.rejects(refresh(alice, 'Applalice'), { code: 'HTTP_UNAVAILABLE' })
  t.match(httpSource.status(), { error: /answered 500/ })
  mdm.handler = () => mdmDevice('alice')
  await refresh(alice, 'Applalice')
  t.equal(httpSource.status().error, undefined)
  t.strictSame(events, ['look-up-failed', 'looked-up'])
})

void t.test('a question that the MDM refuses is no outage', async (t) => {
  const mdm = await testMdm(t, (_url, _req, res) => void res.writeHead(400).end())
  const { refresh, httpSource } = httpSourceTest(t, { lookupUrl: `${mdm.origin}/{user}/{deviceId}` })
  await t.rejects(refresh(alice, 'Applalice'), { code: 'HTTP_REFUSED' })
  t.equal(httpSource.status().error, undefined)
})

void t.test('look-ups that are not made tell nothing of the MDM', async (t) => {
  const mdm = await testMdm(t, (_url, _req, res) => void res.writeHead(404).end())
  const lookupUrl = `${mdm.origin}/{user}/{deviceId}`
  const { refresh, httpSource, events } = httpSourceTest(t, { lookupUrl, lookupsPerSecond: 1 }, manualClock())
  const messages = ['A', 'B', 'C', 'D', 'E'].map((deviceId) =>
    refresh(alice, deviceId).catch((error: unknown) => (error instanceof Error ? error.message : '')),
  )
  await messages[0]
  // the second and the third wait for their turn
  t.match(await messages[3], /lookupsPerSecond/)
  t.match(await messages[4], /lookupsPerSecond/)
  t.strictSame(events, ['looked-up'])
  t.equal(httpSource.status().error, undefined)
})

void t.test(
  'a word that the mapping does not have is told once, however many records have it (T-51)',
  async (t) => {
    const list = Array.from({ length: 500 }, (_, index) =>
      mdmDevice(`user${index}`, { status: index < 250 ? 'Pending' : `Odd ${index % 200}\u202e` }),
    )
    const mdm = await testMdm(t, () => list)
    const { start, logged } = httpSourceTest(t, { bulkUrl: `${mdm.origin}/` })
    await start()
    const words = logged.filter(({ message }) => message === 'the mapping does not have this word')
    t.equal(words.length, 100)
    t.match(words[0], { field: 'complianceState', word: 'Pending' })
    t.match(words[1], { word: /^Odd \d+\\u\{202e\}$/ })
  },
)

void t.test('ends with its signal, also in the midst of a reading', async (t) => {
  const mdm = await testMdm(t, () => undefined)
  const { httpSource, events } = httpSourceTest(t, { bulkUrl: `${mdm.origin}/` })
  const abort = new AbortController()
  const started = httpSource.start(abort.signal)
  while (mdm.asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  abort.abort()
  await started
  t.strictSame(events, [])
  await httpSource.start(AbortSignal.abort())
  t.equal(mdm.asked.length, 1)
})
