import { join } from 'node:path'
import { z } from 'zod'
import { languages, type Language } from '#config/languages.ts'
import { ConfigError, checkSchema, readYamlFile } from '#config/yaml.ts'
import type { Setting } from '#policy/compliance/checks.ts'

/** The systems that steps are told for. */
export const stepSystems = ['iOS', 'Android', 'Windows', 'other'] as const
export type StepSystem = (typeof stepSystems)[number]

const maxTextLength = 400
const maxSteps = 8

const text = z.string().trim().min(1).max(maxTextLength, `expected at most ${maxTextLength} characters`)
const steps = z
  .array(text)
  .min(1, 'expected at least one step')
  .max(maxSteps, `expected at most ${maxSteps} steps`)

/** What all texts of a part are, by their keys. */
function texts<Key extends string>(...keys: readonly Key[]) {
  return z.strictObject(Object.fromEntries(keys.map((key) => [key, text])) as Record<Key, typeof text>)
}

const settings = texts(
  'passcodeRequired',
  'encryptionRequired',
  'minOsVersion',
  'maxOsVersion',
  'jailbreakAllowed',
  'managedEmailProfileRequired',
  'maxThreatLevel',
  'maxCheckInDays',
) satisfies z.ZodType<Record<Setting, string>>

const bySystem = z.strictObject({ iOS: steps, Android: steps, Windows: steps, other: steps })

const start = texts(
  'title',
  'intro',
  'badLink',
  'codeTitle',
  'codeLabel',
  'codeHint',
  'codeOpen',
  'badCode',
  'tooMany',
).extend({ steps })
const device = texts(
  'title',
  'model',
  'system',
  'unknown',
  'why',
  'wanting',
  'steps',
  'enroll',
  'manage',
  'checkTitle',
  'checkHint',
  'check',
  'help',
)
const checked = texts('unchanged', 'changed', 'corrected', 'failed')
const released = texts('title', 'text', 'close')
const code = texts('title', 'hint', 'show', 'open', 'enter', 'validity', 'failed')
const guidance = z.strictObject({
  enroll: bySystem,
  comply: bySystem,
  restore: steps,
  update: steps,
  app: steps,
  remove: steps,
  wait: steps,
  support: steps,
})

const pageTexts = z.strictObject({ start, device, checked, released, code, guidance, settings })

/** What a file may hold of them. */
const givenTexts = z
  .strictObject({
    start: start.partial(),
    device: device.partial(),
    checked: checked.partial(),
    released: released.partial(),
    code: code.partial(),
    guidance: guidance.extend({ enroll: bySystem.partial(), comply: bySystem.partial() }).partial(),
    settings: settings.partial(),
  })
  .partial()

/** All that the pages say in one language: plain text. */
export type PageTexts = z.infer<typeof pageTexts>

/** The texts of every language. */
export type AllPageTexts = Readonly<Record<Language, PageTexts>>

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The texts as they are built in, or as a file of a language has them in their place; what the file leaves out stays.
 *
 * @throws {ConfigError} with every fault of every file
 */
export function loadPageTexts(
  files: Readonly<Partial<Record<Language, string | undefined>>> = {},
  environment: Environment = process.env,
): AllPageTexts {
  const loaded = languages.map((language) => loadOne(language, files[language], environment))
  const faults = loaded.flatMap((one) => one.faults)
  if (faults.length > 0) throw new ConfigError(faults)
  return Object.fromEntries(loaded.map(({ language, texts: found }) => [language, found])) as AllPageTexts
}

function loadOne(language: Language, file: string | undefined, environment: Environment) {
  const builtIn = readYamlFile(join(import.meta.dirname, 'texts', `${language}.yaml`), {}).root
  if (file === undefined) return { language, texts: pageTexts.parse(builtIn), faults: [] }
  try {
    const { value, faults } = checkSchema(readYamlFile(file, environment), givenTexts)
    return { language, texts: pageTexts.parse(merged(builtIn, value)), faults }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return { language, texts: undefined, faults: error.faults }
  }
}

/** The values of `given` in the place of those of `base`; a list counts as one value. */
function merged(base: unknown, given: unknown): unknown {
  if (given === undefined) return base
  if (!isMap(base) || !isMap(given)) return given
  const keys = [...new Set([...Object.keys(base), ...Object.keys(given)])]
  return Object.fromEntries(keys.map((key) => [key, merged(base[key], given[key])]))
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
