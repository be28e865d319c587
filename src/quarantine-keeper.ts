import type { Config } from '#config/schema.ts'
import { ConfigError } from '#config/yaml.ts'
import type { QuarantineInForce } from '#proxy/create-proxy.ts'
import { loadNoticeTexts } from '#quarantine/notice-texts.ts'
import type { Logger } from '#telemetry/log.ts'

/** What the workers serve in quarantine. */
export interface QuarantineKeeper {
  readonly current: () => QuarantineInForce
  /** Reads the texts again. Those with a fault do not come into force. */
  readonly reload: () => Promise<void>
  /** @param heldSince ms since the epoch; undefined: it is held no more */
  readonly hold: (heldSince: number | undefined) => Promise<void>
}

export interface QuarantineKeeperDeps {
  readonly config: Config['quarantine']
  readonly log: Pick<Logger, 'info' | 'error'>
  /** Hands it to the workers; resolves once it is in force on each. */
  readonly onChange: (quarantine: QuarantineInForce) => Promise<void>
}

/** @throws {ConfigError} where the texts have faults at the start */
export function createQuarantineKeeper({ config, log, onChange }: QuarantineKeeperDeps): QuarantineKeeper {
  const { language, textsFile } = config
  let current: QuarantineInForce = { texts: loadNoticeTexts(language, textsFile) }
  return {
    current: () => current,
    reload: async () => {
      if (textsFile === undefined) return
      try {
        current = { ...current, texts: loadNoticeTexts(language, textsFile) }
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error
        log.error({ faults: error.faults }, 'the new texts have faults; the old ones stay in force')
        return
      }
      await onChange(current)
      log.info({ file: textsFile }, 'texts of the quarantine mailbox reloaded')
    },
    hold: (heldSince) => {
      const { texts } = current
      current = heldSince === undefined ? { texts } : { texts, heldSince }
      return onChange(current)
    },
  }
}
