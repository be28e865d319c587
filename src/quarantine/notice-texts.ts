import { join } from 'node:path'
import { z } from 'zod'
import type { Language } from '#config/languages.ts'
import {
  ConfigError,
  checkSchema,
  readYamlFile,
  withFaults,
  type ConfigFault,
  type YamlFile,
} from '#config/yaml.ts'
import { reasons, type Reason } from '#policy/reasons.ts'
import { renderNotice } from './notice.ts'
import { fieldsFault, htmlFault } from './notice-template.ts'

const template = z.string().trim().min(1)
/** What a reason is told by, in the words of the user. */
const words = z.strictObject({ why: template, todo: template })

const textsSchema = z.strictObject({
  senderName: template,
  subject: template,
  text: template,
  html: template,
  /** For a reason without words of its own. */
  otherReasons: words,
  reasons: z.partialRecord(z.enum(reasons), words).default({}),
})

/** The texts of one language: templates with fields such as `{link}`, and the words for each reason. */
export type NoticeTexts = z.infer<typeof textsSchema>

/** What a file may hold of them. */
type GivenTexts = { readonly [Key in keyof NoticeTexts]?: NoticeTexts[Key] | undefined }

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The texts of a language as built in, or as a file has them in their place; what the file leaves out stays.
 * @throws {ConfigError} with every fault of the file: an unknown key, reason or field, a link that is missing or late, a
 *   text that is too long
 */
export function loadNoticeTexts(
  language: Language,
  file?: string,
  environment: Environment = process.env,
): NoticeTexts {
  const builtIn = checked(
    readYamlFile(join(import.meta.dirname, 'texts', `${language}.yaml`), {}),
    textsSchema,
  )
  if (file === undefined) return builtIn
  return checked(readYamlFile(file, environment), textsSchema.partial(), builtIn)
}

function checked(yaml: YamlFile, schema: z.ZodType<GivenTexts>, base?: NoticeTexts): NoticeTexts {
  const { value, faults } = checkSchema(yaml, schema)
  if (value === undefined) throw new ConfigError(faults)
  const reasonWords = { ...base?.reasons, ...value.reasons }
  const texts = textsSchema.parse({ ...base, ...value, reasons: reasonWords })
  const all = withFaults(faults, textFaults(texts, yaml.fault))
  if (all.length > 0) throw new ConfigError(all)
  return texts
}

const wordFields = ['device', 'user'] as const
const templateFields = ['link', 'why', 'todo', 'device', 'user'] as const

const maxLineCharacters = 100
/** Some clients never fetch what is behind the first few hundred bytes. shared/eas/protocol.md, section 14 */
const maxBodyBytes = 600
/** The link comes early, for the same reason. */
const maxCharactersBeforeLink = 80
/** A rather long one: an address, the path, a token of 60 characters. */
const longFacts = { link: 'L'.repeat(120), device: 'D'.repeat(20), user: 'U'.repeat(30) }

function textFaults(texts: NoticeTexts, fault: YamlFile['fault']): readonly ConfigFault[] {
  const found: ConfigFault[] = []
  const add = (path: readonly PropertyKey[], message: string | undefined) => {
    if (message !== undefined) found.push(fault(path, message))
  }
  for (const key of ['senderName', 'subject', 'text', 'html'] as const) {
    add([key], fieldsFault(texts[key], templateFields))
  }
  for (const key of ['senderName', 'subject'] as const) add([key], lineFault(texts[key]))
  add(['text'], linkFault(texts.text, '{link}', '{link}'))
  add(['html'], htmlFault(texts.html) ?? linkFault(texts.html, 'href="{link}"', '<a href="{link}">'))
  for (const [path, { why, todo }] of allWords(texts)) {
    add([...path, 'why'], fieldsFault(why, wordFields))
    add([...path, 'todo'], fieldsFault(todo, wordFields))
  }
  return found.length > 0 ? found : lengthFaults(texts, fault)
}

function lineFault(line: string): string | undefined {
  if (/\p{Cc}/u.test(line)) return 'expected one line'
  return line.length > maxLineCharacters ? `expected at most ${maxLineCharacters} characters` : undefined
}

function linkFault(body: string, needed: string, shown: string): string | undefined {
  const position = body.indexOf(needed)
  if (position < 0) return `expected ${shown} in it`
  return position > maxCharactersBeforeLink
    ? `expected ${shown} within the first ${maxCharactersBeforeLink} characters`
    : undefined
}

function lengthFaults(texts: NoticeTexts, fault: YamlFile['fault']): readonly ConfigFault[] {
  return allWords(texts).flatMap(([path, , reason]) => {
    const notice = renderNotice(texts, reason, longFacts)
    return (['text', 'html'] as const).flatMap((key) => {
      const bytes = Buffer.byteLength(notice[key])
      if (bytes <= maxBodyBytes) return []
      const message = `the ${key} for it has ${bytes} bytes, with a link of ${longFacts.link.length}: expected at most ${maxBodyBytes}`
      return [fault(path, message)]
    })
  })
}

/** Every set of words, with its place in the file and a reason that is told by it. */
function allWords(
  texts: NoticeTexts,
): readonly (readonly [path: readonly PropertyKey[], words: NoticeTexts['otherReasons'], reason: Reason])[] {
  const own = reasons.flatMap((reason) => {
    const found = texts.reasons[reason]
    return found === undefined ? [] : [[['reasons', reason], found, reason] as const]
  })
  const other = reasons.find((reason) => texts.reasons[reason] === undefined)
  return other === undefined ? own : [...own, [['otherReasons'], texts.otherReasons, other]]
}
