import { clientText } from '#telemetry/log.ts'

/** Characters that a pattern of the policy file may have. */
const maxPatternLength = 256
const maxShownLength = 80

/** Why a text that Exchange compares as it stands cannot be a pattern of the policy file; undefined where it can. */
export function patternProblem(text: string): string | undefined {
  if (text === '') return 'it is empty'
  if (text.includes('*')) {
    return 'its * is a plain character for Exchange, in a pattern it would stand for any text; write the rule by hand'
  }
  if (text !== text.trim()) return 'it has space around it, which a pattern cannot have'
  if (text.length > maxPatternLength) return `a pattern has at most ${maxPatternLength} characters`
  if (/\$\{[A-Za-z_]\w*\}/.test(text)) return 'the policy file would replace its ${…} from the environment'
  return undefined
}

/** A text of the file as a message names it: in quotes, with what a terminal would obey written out, and not too long. */
export function shownText(text: string): string {
  const short = text.length > maxShownLength ? `${text.slice(0, maxShownLength)}…` : text
  return clientText(JSON.stringify(short)) ?? ''
}
