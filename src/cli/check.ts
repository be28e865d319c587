import { readToken } from '#admin/token.ts'
import { loadSettings } from '#config/load.ts'
import { ConfigError, faultText } from '#config/yaml.ts'
import { loadPageTexts } from '#enrollment/texts.ts'
import { loadNoticeTexts } from '#quarantine/notice-texts.ts'
import { faultsByStore } from './check-store.ts'
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
    const faults = await faultsByStore(settings)
    if (faults !== undefined && faults.length > 0) throw new ConfigError(faults)
    print(`${config.file}: good (${config.digest})`)
    print(`${policy.file}: good (${policy.digest})`)
    if (textsFile !== undefined) print(`${textsFile}: good`)
    for (const file of Object.values(textsFiles)) print(`${file}: good`)
    for (const warning of policy.warnings) print(`warning: ${faultText(warning)}`)
    for (const prefix of config.value.routing.passthrough) {
      print(`warning: ${prefix} is passed through without any check of user or device`)
    }
    if (faults === undefined) {
      print('note: groups and the devices in use are not checked before easgate has read its sources once')
    }
    return 0
  },
}
