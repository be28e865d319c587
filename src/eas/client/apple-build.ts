import builds from './apple-builds.json' with { type: 'json' }
import letters from './apple-letters.json' with { type: 'json' }

/**
 * Apple writes a build into its User-Agent as a number: `15D100` is `1504.100`, the letter being its place in the
 * alphabet with two digits, and a small letter at the end is `000` and its place, `11B554a` is `1102.55400001`.
 * `apple-builds.json` gives the version of each known build, betas with the version they lead to; `apple-letters.json`
 * the lowest version that a letter can mean, for the rest.
 */
const versionOfBuild: ReadonlyMap<string, string> = new Map(Object.entries(builds))
const minorsOfTrain: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map(
  Object.entries(letters).map(([train, minors]) => [train, new Map(Object.entries(minors))]),
)

const buildShape = /^(?<train>[1-9]\d?)(?<letter>[A-Z])(?<digits>[1-9]\d{0,8})(?<small>[a-z]?)$/
const numberShape = /^(?<train>[1-9]\d?)(?<letter>[01]\d|2[0-6])\.0{0,2}(?<digits>[1-9]\d{0,13})$/
const smallLetterShape = /^(?<digits>\d{1,9})000(?<small>0[1-9]|1\d|2[0-6])$/
const repackedShape = /^6(?<digits>\d{3})$/
const firstLetter = 'A'.charCodeAt(0)
const firstSmallLetter = 'a'.charCodeAt(0)

/** The number that a device of this build (`15D100`) puts into its User-Agent (`1504.100`); undefined for no build. */
export function agentNumberOfBuild(build: string): string | undefined {
  const { train, letter, digits, small } = buildShape.exec(build)?.groups ?? {}
  if (train === undefined || letter === undefined || digits === undefined) return undefined
  const suffix = small ? `000${place(small, firstSmallLetter)}` : ''
  return `${train}${place(letter, firstLetter)}.${digits}${suffix}`
}

/**
 * The iOS version of the number in an Apple User-Agent: of a known build its own, with the patch level; of an unknown
 * one the major and minor version of its letter, the lowest where a letter served several, so that no minimum version
 * is met by a guess. Undefined for a number or letter that Apple has not used.
 */
export function iosVersionOfAgentNumber(number: string): string | undefined {
  const { train, letter, digits } = numberShape.exec(number)?.groups ?? {}
  if (train === undefined || letter === undefined || digits === undefined || letter === '00') return undefined
  const capital = String.fromCharCode(firstLetter + Number(letter) - 1)
  const line = `${train}${capital}`
  return (
    versionWithSmallLetter(line, digits) ??
    versionOfBuild.get(line + digits) ??
    versionOfRepacked(line, digits) ??
    minorsOfTrain.get(train)?.get(capital)
  )
}

/** Digits that end in `000` and 01 to 26 may be plain digits as well, so only a known build is taken this way. */
function versionWithSmallLetter(line: string, digits: string): string | undefined {
  const { digits: plain, small } = smallLetterShape.exec(digits)?.groups ?? {}
  if (plain === undefined || small === undefined) return undefined
  return versionOfBuild.get(line + plain + String.fromCharCode(firstSmallLetter + Number(small) - 1))
}

/** 22F6076 is another packaging of 22F76; it holds for every such pair in the table. */
function versionOfRepacked(line: string, digits: string): string | undefined {
  const plain = repackedShape.exec(digits)?.groups?.['digits']
  return plain === undefined ? undefined : versionOfBuild.get(line + String(Number(plain)))
}

function place(letter: string, first: number): string {
  return String(letter.charCodeAt(0) - first + 1).padStart(2, '0')
}
