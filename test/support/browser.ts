import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import type { Test } from 'tap'

const executablePath = '/usr/bin/chromium'

/** To be given to tests that need a browser: false where there is one, else what to install. */
export const withoutBrowser = existsSync(executablePath)
  ? false
  : 'no chromium here: apt-get install chromium'

/** Debian's Chromium; it ends with the test. */
export async function openBrowser(t: Test): Promise<Browser> {
  const browser = await chromium.launch({ executablePath })
  t.teardown(() => browser.close())
  return browser
}

/** Runs in each page; the rest of the tests knows no DOM. */
const pageScript = join(import.meta.dirname, 'page-script.js')

/** What has the focus of the keyboard. */
export interface Focused {
  /** Its text, or its id where it has none. */
  readonly name: string
  /** Pixels. */
  readonly outline: number
}

/** A tab, and all that it asked for and complained of. */
export interface Tab {
  readonly page: Page
  /** URLs in order. */
  readonly requests: readonly string[]
  /** Lines of the console: a violation of the content security policy is one. */
  readonly complaints: readonly string[]
  /** What keeps people from using the page, one line each; empty where nothing does. */
  readonly accessibilityFaults: () => Promise<readonly string[]>
  readonly focused: () => Promise<Focused>
  /** What the page itself puts the focus on: a browser does so some time after the page is there. */
  readonly startsAt: () => Promise<Focused>
}

/** A tab of a browser of its own: nothing is shared with another one. */
export async function openTab(browser: Browser, options: BrowserContextOptions): Promise<Tab> {
  const context = await browser.newContext(options)
  await context.addInitScript({ path: pageScript })
  const page = await context.newPage()
  const requests: string[] = []
  const complaints: string[] = []
  page.on('request', (request) => requests.push(request.url()))
  page.on('console', (message) => complaints.push(message.text()))
  return {
    page,
    requests,
    complaints,
    accessibilityFaults: () => page.evaluate('easgateTest.faults()'),
    focused: () => page.evaluate('easgateTest.focused()'),
    startsAt: async () => {
      await page.locator(':focus').waitFor()
      return page.evaluate('easgateTest.focused()')
    },
  }
}
