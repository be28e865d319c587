import t from 'tap'
import { platformFamily, platformOf, platforms } from '#eas/client/platform.ts'
import type { PlatformFamily } from '#eas/client/platform.ts'

const expected: Record<PlatformFamily, readonly string[]> = {
  apple: ['iOS', 'ios', 'iPadOS', 'iPhone'],
  android: ['Android', 'androidForWork', 'AndroidEnterprise'],
  windows: ['Windows', 'WindowsPhone', 'WindowsMobile', 'Windows10', 'Zune'],
  other: ['BlackBerry', 'Symbian', 'Maemo', 'webOS', 'macOS', 'Linux', 'ChromeOS'],
  unknown: ['unknown', '', 'Plan 9', '__proto__', 'constructor'],
}

void t.test('puts each platform word into its family', async (t) => {
  for (const [family, words] of Object.entries(expected)) {
    for (const word of words) t.equal(platformFamily(word), family, word)
  }
})

void t.test('leaves no word of its own without a family', async (t) => {
  const without = platforms.filter((platform) => platformFamily(platform) === 'unknown')
  t.strictSame(without, ['unknown'])
})

void t.test('takes the words of an MDM for ours', async (t) => {
  const words: Record<string, string> = {
    iPadOS: 'iOS',
    iPhone: 'iOS',
    AndroidForWork: 'Android',
    'Samsung Knox': 'Android',
    Windows10: 'Windows',
    'Windows 10': 'Windows',
    windowsPhone81: 'WindowsPhone',
    'Windows Phone 8.1': 'WindowsPhone',
    blackberry: 'BlackBerry',
    macOS: 'unknown',
    constructor: 'unknown',
  }
  for (const [word, platform] of Object.entries(words)) t.equal(platformOf(word), platform, word)
  for (const platform of platforms) t.equal(platformOf(platform), platform)
})
