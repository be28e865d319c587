/**
 * The Android version of the number in a Samsung User-Agent, `SAMSUNG-SM-N900V/101.403`: the major version, then two
 * digits for the minor and two for the patch where there is one, so 403 is 4.3, 20303 is 2.3.3, 60001 is 6.0.1, 80000
 * is 8.0.0 and 10 is 10. From 9 on Android has no minor version, so 90000 is 9.
 * @returns undefined where there is no major version
 */
export function unpackSamsungVersion(packed: string): string | undefined {
  const value = Number(packed)
  const parts =
    packed.length <= 2
      ? [value]
      : packed.length <= 4
        ? [Math.floor(value / 100), value % 100]
        : [Math.floor(value / 10_000), Math.floor(value / 100) % 100, value % 100]
  const [major = 0, ...rest] = parts
  if (major < 1) return undefined
  return major >= 9 && rest.every((part) => part === 0) ? String(major) : parts.join('.')
}

/** The numbers of a dotted version, the most significant first. */
export type Version = readonly number[]

const maxParts = 8
const maxDigits = 9
const zero = 0x30
const dot = 0x2e

/**
 * The dotted number that a text starts with: `17.5.1` of `17.5.1 (21F90)`. What an MDM writes after it says nothing of
 * the order. Read letter by letter, as every decision asks for one: a pattern costs several times as much.
 * @returns undefined where the text does not start with a number
 */
export function parseVersion(text: string): Version | undefined {
  const parts: number[] = []
  for (let at = 0; parts.length < maxParts; at++) {
    const start = at
    let value = 0
    for (; at < start + maxDigits; at++) {
      const digit = text.charCodeAt(at) - zero
      if (!(digit >= 0 && digit <= 9)) break
      value = value * 10 + digit
    }
    if (at === start) break
    parts.push(value)
    if (text.charCodeAt(at) !== dot) break
  }
  return parts.length === 0 ? undefined : parts
}

/** Orders two versions by number, a missing part being 0: negative where the first is older. */
export function compareVersions(one: Version, other: Version): number {
  for (let index = 0; index < one.length || index < other.length; index++) {
    const difference = (one[index] ?? 0) - (other[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** Of versions as text the newest, as it is written; what is no version is older than all. */
export function newestVersion(versions: readonly string[]): string | undefined {
  return versions
    .toSorted((one, other) => compareVersions(parseVersion(one) ?? [], parseVersion(other) ?? []))
    .at(-1)
}
