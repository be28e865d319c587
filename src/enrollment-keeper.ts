import { languages, type Language } from '#config/languages.ts'
import type { Config } from '#config/schema.ts'
import { ConfigError } from '#config/yaml.ts'
import { loadPageTexts } from '#enrollment/texts.ts'
import type { EnrollmentInForce } from '#proxy/create-proxy.ts'
import { loadNoticeTexts, type NoticeTexts } from '#quarantine/notice-texts.ts'
import type { Logger } from '#telemetry/log.ts'

/** What the workers say on the pages that lead to enrolment. */
export interface EnrollmentKeeper {
  readonly current: () => EnrollmentInForce
  /** Reads the texts again. Those with a fault do not come into force. */
  readonly reload: () => Promise<void>
}

export interface EnrollmentKeeperDeps {
  readonly config: Pick<Config, 'enrollment' | 'quarantine'>
  readonly log: Pick<Logger, 'info' | 'error'>
  /** Hands it to the workers; resolves once it is in force on each. */
  readonly onChange: (enrollment: EnrollmentInForce) => Promise<void>
}

/** @throws {ConfigError} where the texts have faults at the start */
export function createEnrollmentKeeper({ config, log, onChange }: EnrollmentKeeperDeps): EnrollmentKeeper {
  let current = loadEnrollment(config)
  const hasFiles =
    Object.keys(config.enrollment.textsFiles).length > 0 || config.quarantine.textsFile !== undefined
  return {
    current: () => current,
    reload: async () => {
      if (!hasFiles) return
      try {
        current = loadEnrollment(config)
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error
        log.error({ faults: error.faults }, 'the new texts have faults; the old ones stay in force')
        return
      }
      await onChange(current)
      log.info('texts of the enrolment pages reloaded')
    },
  }
}

/**
 * The texts of the pages, and the words for each reason, which are those of the message on the phone.
 *
 * @throws {ConfigError} with every fault of every file
 */
export function loadEnrollment({
  enrollment,
  quarantine,
}: Pick<Config, 'enrollment' | 'quarantine'>): EnrollmentInForce {
  const notices = languages.map((language) => {
    const file = language === quarantine.language ? quarantine.textsFile : undefined
    return [language, loadNoticeTexts(language, file)] as const
  })
  return {
    texts: loadPageTexts(enrollment.textsFiles),
    notices: Object.fromEntries(notices) as Record<Language, NoticeTexts>,
  }
}
