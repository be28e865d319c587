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

/** A value of the file as a message names it: texts in quotes, what a terminal would obey written out, not too long. */
export function shownValue(value: unknown): string {
  const json = JSON.stringify(value ?? null)
  return clientText(json.length > maxShownLength ? `${json.slice(0, maxShownLength)}…` : json) ?? ''
}
