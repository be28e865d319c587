import t, { type Test } from 'tap'
import { child } from '#eas/wbxml/element.ts'
import { languages } from '#config/languages.ts'
import { loadPageTexts } from '#enrollment/texts.ts'
import { openBrowser, openTab, withoutBrowser, type Tab } from '../support/browser.ts'
import { startNode, writeConfig, type NodeProcess } from '../support/node-process.ts'
import {
  commandsOf,
  folderSyncRequest,
  keyOf,
  Phone,
  syncRequest,
  textAt,
} from '../support/simulated-phone.ts'

const texts = loadPageTexts()
const portal = 'https://portal.example.com/'
const phoneSize = { width: 390, height: 844 }
const carol = { user: 'carol@example.com', deviceId: 'ApplDEMOCAROL1' }

/** Reads the quarantine mailbox as a phone does; gives the link of its one message. */
async function linkOnPhone(phone: Phone): Promise<string> {
  await phone.send('FolderSync', folderSyncRequest('0'))
  const sync = async (syncKey: string) => {
    const { root } = await phone.send('Sync', syncRequest('easgate-inbox', syncKey))
    return child(child(root, 'AirSync:Collections'), 'AirSync:Collection')
  }
  const message = commandsOf(await sync(keyOf(await sync('0'))))[0]
  const body = textAt(child(message, 'AirSync:ApplicationData'), 'AirSyncBase:Body', 'AirSyncBase:Data') ?? ''
  return body.split('\n', 1)[0] ?? ''
}

/** A node before which carol's phone, which is not enrolled, has come. */
async function held(t: Test, extra: readonly string[] = []) {
  const enrollment = `enrollment: { url: ${portal} }`
  const node = await startNode(t, writeConfig(t, { extra: [enrollment, ...extra].join('\n') }))
  const phone = new Phone({ url: node.proxyUrl, ...carol })
  const link = await linkOnPhone(phone)
  const seen = async () =>
    (await node.admin('GET', `/api/devices/${carol.user}/${carol.deviceId}`)).json() as { seen?: unknown }
  // sightings come into the store once a second
  while ((await seen()).seen === undefined);
  return { node, phone, link, browser: await openBrowser(t) }
}

const headingOf = ({ page }: Tab) => page.locator('h1').innerText()
const press = ({ page }: Tab, name: string) => page.getByRole('button', { name }).click()

/** The browser tells of each answer that is no 200. */
function withoutStatuses(complaints: readonly string[]): readonly string[] {
  return complaints.filter((line) => !line.startsWith('Failed to load resource'))
}

async function enrolled(node: NodeProcess): Promise<void> {
  const facts = { ...carol, enrolled: true, registered: true, complianceState: 'compliant' }
  await node.admin('POST', '/api/facts', facts)
}

void t.test(
  'a held phone leads to its page, and the page says when its mail comes',
  { skip: withoutBrowser },
  async (t) => {
    const { node, phone, link, browser } = await held(t, ['workers: 2'])
    // no script runs in this browser
    const options = { javaScriptEnabled: false, viewport: phoneSize, isMobile: true, hasTouch: true }
    const tab = await openTab(browser, options)
    const { page } = tab
    await page.goto(link)
    const { en } = texts
    t.equal(await headingOf(tab), en.device.title)
    t.match(await page.locator('main').innerText(), 'This device is not managed by your organisation yet.')
    t.strictSame(await page.locator('ol li').allInnerTexts(), en.guidance.enroll.iOS)
    t.equal(await page.getByRole('link', { name: en.device.enroll }).getAttribute('href'), portal)

    await press(tab, en.device.check)
    t.equal(await page.getByRole('status').innerText(), en.checked.unchanged)
    t.equal(page.url(), link)

    await node.admin('POST', '/api/facts', { ...carol, enrolled: true, complianceState: 'noncompliant' })
    await press(tab, en.device.check)
    t.equal(await page.getByRole('status').innerText(), en.checked.changed)

    await enrolled(node)
    await press(tab, en.device.check)
    t.equal(await headingOf(tab), en.released.title)
    t.equal(await page.getByRole('status').innerText(), en.released.text)
    await phone.provision()
    const reply = await phone.send('FolderSync', folderSyncRequest('0'))
    t.equal(textAt(reply.root, 'FolderHierarchy:Status'), '1', 'and so it does')

    const dead = await page.goto(link)
    t.equal(dead?.status(), 404)
    t.equal(await headingOf(tab), en.start.title, 'the link tells nothing of the device any more')
    t.strictSame([...new Set(tab.requests.map((url) => new URL(url).origin))], [node.proxyUrl])
    t.strictSame(withoutStatuses(tab.complaints), [])
  },
)

void t.test('the pages are for everybody, on any machine', { skip: withoutBrowser }, async (t) => {
  const { node, link, browser } = await held(t)
  const home = `${node.proxyUrl}/easgate/enroll/`

  await t.test('as far as a program sees it: one that is not is found out', async (t) => {
    const { page, accessibilityFaults } = await openTab(browser, { viewport: phoneSize })
    const bad =
      '<h3 id=a>x</h3><p id=a style="color: #999">grey</p><input name=b><a href=/ style="display: block; height: 9px"></a>' +
      '<svg></svg><section aria-labelledby=c style="width: 500px">wide</section>'
    await page.goto(`data:text/html,<!doctype html><main>${encodeURIComponent(bad)}</main>`)
    t.strictSame(
      (await accessibilityFaults()).map((fault) => fault.replace(/:? [\d.].*/, '')),
      [
        'the page says no language',
        'the page has no title',
        'expected one h1',
        'a level of headings is left out',
        'the page is wider than the window',
        'an id stands twice',
        'nothing has the id c',
        'no label for the input b',
        'no text in a A',
        'a picture is neither hidden nor named',
        'a INPUT of',
        'a A of',
        'contrast',
      ],
    )
  })

  await t.test('in every language, size and scheme of colours', async (t) => {
    const views = [
      { colorScheme: 'light', width: 320, height: 568 },
      { colorScheme: 'dark', ...phoneSize },
      { colorScheme: 'light', width: 1280, height: 800 },
    ] as const
    for (const language of languages) {
      const { page, complaints, accessibilityFaults } = await openTab(browser, { locale: language })
      const { start, device, code } = texts[language]
      await page.goto(link)
      t.equal(await page.locator('html').getAttribute('lang'), language)
      t.equal(await page.locator('h1').innerText(), device.title)
      await page.getByText(code.title).click()
      const expectUsable = async (what: string) => {
        for (const { colorScheme, ...size } of views) {
          await page.emulateMedia({ colorScheme })
          await page.setViewportSize(size)
          const name = `${what} in ${language}, ${colorScheme}, ${size.width} wide`
          t.strictSame(await accessibilityFaults(), [], name)
        }
      }
      await expectUsable('a device')
      await page.goto(`${home}x`)
      t.equal(await page.getByRole('status').innerText(), start.badLink)
      await expectUsable('a bad link')
      t.strictSame(withoutStatuses(complaints), [])
    }
  })

  await t.test('by a code that the phone shows', async (t) => {
    const onPhone = await openTab(browser, { viewport: phoneSize, locale: 'de-DE' })
    const { code, start, device } = texts.de
    await onPhone.page.goto(link)
    await onPhone.page.getByText(code.title).click()
    await press(onPhone, code.show)
    t.strictSame(await onPhone.accessibilityFaults(), [])
    t.equal((await onPhone.startsAt()).name, code.title, 'a screen reader begins with it')
    t.match(await onPhone.page.locator('main').innerText(), home)
    const shown = await onPhone.page.locator('.code').innerText()

    const onComputer = await openTab(browser, { locale: 'de-DE' })
    const { page } = onComputer
    const field = page.getByRole('textbox', { name: start.codeLabel })
    await page.goto(home)
    await field.fill('00000-00000')
    await press(onComputer, start.codeOpen)
    t.equal(await page.getByRole('status').innerText(), start.badCode)
    await field.fill(shown.toLowerCase())
    await page.keyboard.press('Enter')
    await page.waitForURL(link)
    t.equal(await headingOf(onComputer), device.title)
  })

  await t.test('by keyboard, in order, and seen', async (t) => {
    const { page, focused } = await openTab(browser, {})
    const walk = async (stops: number) => {
      const reached: string[] = []
      for (let stop = 0; stop < stops; stop++) {
        await page.keyboard.press('Tab')
        const { name, outline } = await focused()
        t.ok(outline >= 2, `${name} is outlined`)
        reached.push(name)
      }
      return reached
    }
    const { start, device, code } = texts.en
    await page.goto(link)
    t.strictSame(await walk(3), [device.enroll, device.check, code.title])
    await page.keyboard.press('Enter')
    t.strictSame(await walk(1), [code.show], 'behind what Enter has opened')
    await page.goto(home)
    t.strictSame(await walk(3), [device.manage, 'code', start.codeOpen])
  })

  await t.test('also what comes of a check', async (t) => {
    const tab = await openTab(browser, { colorScheme: 'dark', viewport: phoneSize })
    const { checked, device, released } = texts.en
    await tab.page.goto(link)
    await press(tab, device.check)
    t.strictSame(await tab.accessibilityFaults(), [])
    t.equal((await tab.startsAt()).name, checked.unchanged, 'a screen reader begins with it')
    await enrolled(node)
    await press(tab, device.check)
    t.strictSame(await tab.accessibilityFaults(), [])
    t.equal((await tab.startsAt()).name, released.text)
  })
})
