/**
 * The words for a platform. `iOS` stands for iPadOS too; `unknown` where the claims do not tell. A system with no word
 * here (macOS, MeeGo, Palm OS) is `unknown`.
 */
export const platforms = [
  'iOS',
  'Android',
  'Windows',
  'WindowsPhone',
  'WindowsMobile',
  'BlackBerry',
  'Symbian',
  'Maemo',
  'webOS',
  'Zune',
  'unknown',
] as const

export type Platform = (typeof platforms)[number]

/**
 * Systems that an MDM and a client may name differently without contradiction. `apple` is iOS and iPadOS, the Apple
 * systems that speak EAS. `other` is a known system outside the three; two of those are not told apart.
 */
export type PlatformFamily = 'apple' | 'android' | 'windows' | 'other' | 'unknown'

const familyOfWord: ReadonlyMap<string, PlatformFamily> = new Map([
  ['ios', 'apple'],
  ['ipados', 'apple'],
  ['iphone', 'apple'],
  ['ipad', 'apple'],
  ['ipod', 'apple'],
  ['macos', 'other'],
  ['macmdm', 'other'],
  ['linux', 'other'],
  ['chromeos', 'other'],
  ['blackberry', 'other'],
  ['symbian', 'other'],
  ['maemo', 'other'],
  ['webos', 'other'],
  ['zune', 'windows'],
])

/**
 * The family of a platform word: ours, or that of an MDM (`iPadOS`, `AndroidForWork`, `Windows10`), in any letter case.
 * A word that is not known is `unknown`, which contradicts nothing.
 */
export function platformFamily(platform: string): PlatformFamily {
  const word = platform.toLowerCase().replaceAll(' ', '')
  if (word.startsWith('android')) return 'android'
  if (word.startsWith('windows')) return 'windows'
  return familyOfWord.get(word) ?? 'unknown'
}

const platformOfWord: ReadonlyMap<string, Platform> = new Map([
  ...platforms.map((platform) => [platform.toLowerCase(), platform] as const),
  ['ipados', 'iOS'],
  ['iphone', 'iOS'],
  ['ipad', 'iOS'],
  ['ipod', 'iOS'],
])

/**
 * Our word for the platform that an MDM or an administrator names: `iPadOS`, `AndroidForWork`, `Windows 10`, `Windows
 * Phone 8.1`, in any letter case. `unknown` for a word that is not known.
 */
export function platformOf(word: string): Platform {
  const folded = word.toLowerCase().replaceAll(' ', '')
  if (folded.startsWith('android') || folded === 'knox' || folded === 'samsungknox') return 'Android'
  if (folded.startsWith('windowsphone')) return 'WindowsPhone'
  if (folded.startsWith('windowsmobile')) return 'WindowsMobile'
  if (folded.startsWith('windows')) return 'Windows'
  return platformOfWord.get(folded) ?? 'unknown'
}
