import builds from './apple-builds.json' with { type: 'json' }
import letters from './apple-letters.json' with { type: 'json' }

/**
 * `apple-builds.json` has the version of each known build, betas with the version they lead to. `apple-letters.json`
 * has, per number and letter that builds begin with, the lowest version these served; of 24 it is inferred.
 */
const versionOfKnownBuild: ReadonlyMap<string, string> = new Map(Object.entries(builds))
const lowestVersionOf: ReadonlyMap<string, string> = new Map(
  Object.entries(letters).flatMap(([number, versions]) =>
    Object.entries(versions).map(([letter, version]) => [number + letter, version]),
  ),
)

const buildShape = /^(?<number>[1-9]\d?)(?<letter>[A-Z])(?<digits>[1-9]\d{0,13})(?<small>[a-z]?)$/
const agentShape = /^(?<number>[1-9]\d?)(?<letter>0[1-9]|1\d|2[0-6])\.0{0,2}(?<digits>[1-9]\d{0,13})$/
const smallLetterShape = /^(?<digits>\d{1,9})000(?<small>0[1-9]|1\d|2[0-6])$/
const repackedShape = /^6(?<digits>\d{3})$/
const beforeCapitals = 'A'.charCodeAt(0) - 1
const beforeSmalls = 'a'.charCodeAt(0) - 1

/**
 * The number that Apple writes into a User-Agent for a build: `1504.100` for `15D100`, the letter being its place in
 * the alphabet in two digits; a small letter at the end is `000` and its place, `1102.55400001` for `11B554a`.
 * @returns undefined for a text that is no build
 */
export function agentNumberOfBuild(build: string): string | undefined {
  const { number, letter, digits, small } = buildShape.exec(build)?.groups ?? {}
  if (number === undefined || letter === undefined || digits === undefined) return undefined
  const suffix = small ? `000${place(small, beforeSmalls)}` : ''
  return `${number}${place(letter, beforeCapitals)}.${digits}${suffix}`
}

/**
 * The build of the number in an Apple User-Agent. Digits that end in `000` and 01 to 26 may mean a small letter or just
 * digits; the letter is taken where that build is known. Apple's own document fills the digits up with zeros.
 * @returns undefined for a number of another form
 */
export function buildOfAgentNumber(agentNumber: string): string | undefined {
  const { number, letter, digits } = agentShape.exec(agentNumber)?.groups ?? {}
  if (number === undefined || letter === undefined || digits === undefined) return undefined
  const line = number + String.fromCharCode(beforeCapitals + Number(letter))
  const { digits: fewer, small } = smallLetterShape.exec(digits)?.groups ?? {}
  if (fewer !== undefined && small !== undefined) {
    const build = line + fewer + String.fromCharCode(beforeSmalls + Number(small))
    if (versionOfKnownBuild.has(build)) return build
  }
  return line + digits
}

/**
 * The iOS version of a build: of a known one its own, with the patch level; else the major and minor version of its
 * letter, the lowest where that served several, so that no minimum version is met by a guess.
 * @returns undefined for a number or letter that Apple has not used
 */
export function iosVersionOfBuild(build: string): string | undefined {
  const known = versionOfKnownBuild.get(build)
  if (known !== undefined) return known
  const { number, letter, digits } = buildShape.exec(build)?.groups ?? {}
  if (number === undefined || letter === undefined || digits === undefined) return undefined
  // 22F6076 is another packaging of 22F76, and so for every such pair of known builds
  const packed = repackedShape.exec(digits)?.groups?.['digits']
  const other =
    packed === undefined ? undefined : versionOfKnownBuild.get(`${number}${letter}${Number(packed)}`)
  return other ?? lowestVersionOf.get(number + letter)
}

function place(letter: string, before: number): string {
  return String(letter.charCodeAt(0) - before).padStart(2, '0')
}
