import { readToken } from '#admin/token.ts'
import { loadSettings, type Settings } from '#config/load.ts'
import type { Config } from '#config/schema.ts'
import { sourceNames } from '#config/source-names.ts'
import { ConfigError, faultText, type ConfigFault } from '#config/yaml.ts'
import { DirectoryError } from '#directory/errors.ts'
import { openStoreReader, type StoreReader } from '#directory/store.ts'
import { loadPageTexts } from '#enrollment/texts.ts'
import { loadNoticeTexts } from '#quarantine/notice-texts.ts'
import { refuseArguments, type Command } from './command.ts'

/** Reads config and policy as `serve` would, prints every fault with its line, and what is allowed but seldom meant. */
export const check: Command = {
  usage: 'check                                   read config and policy, print every fault',
  run: async (args, { configFile, print }) => {
    refuseArguments('check', args)
    const settings = loadSettings(configFile)
    const { config, policy } = settings
    for (const key of ['tokenFile', 'metricsTokenFile'] as const) readToken(config.value.admin, key)
    const { language, textsFile } = config.value.quarantine
    loadNoticeTexts(language, textsFile)
    const { textsFiles } = config.value.enrollment
    loadPageTexts(textsFiles)
    const unknown = unknownGroups(settings)
    if (unknown !== undefined && unknown.length > 0) throw new ConfigError(unknown)
    print(`${config.file}: good (${config.digest})`)
    print(`${policy.file}: good (${policy.digest})`)
    if (textsFile !== undefined) print(`${textsFile}: good`)
    for (const file of Object.values(textsFiles)) print(`${file}: good`)
    for (const warning of policy.warnings) print(`warning: ${faultText(warning)}`)
    for (const prefix of config.value.routing.passthrough) {
      print(`warning: ${prefix} is passed through without any check of user or device`)
    }
    if (unknown === undefined) print('note: groups are not checked before easgate has read its sources once')
    return 0
  },
}

/** Groups that policy and routing name and nobody is in; undefined where the store cannot tell yet. */
function unknownGroups({ config, policy }: Settings): readonly ConfigFault[] | undefined {
  const reader = readerOf(config.value)
  try {
    if (reader?.sourcesComplete() !== true) return undefined
    const known = reader.knownGroups()
    return [...config.groups, ...policy.groups]
      .filter(({ name }) => !known.has(name))
      .map(({ fault }) => fault)
  } finally {
    reader?.close()
  }
}

/** Undefined where easgate has not made the store yet, or was updated and has not brought it up to date. */
function readerOf(config: Config): StoreReader | undefined {
  try {
    return openStoreReader(config.store.path, { sourceOrder: sourceNames(config) })
  } catch (error) {
    const tooEarly = error instanceof DirectoryError && ['STORE_MISSING', 'STORE_OLDER'].includes(error.code)
    if (tooEarly) return undefined
    throw error
  }
}
