import { readToken } from '#admin/token.ts'
import { loadSettings } from '#config/load.ts'
import { refuseArguments, type Command } from './command.ts'

/** Reads config and policy as `serve` would, and prints every fault with its line. */
export const check: Command = {
  usage: 'check                                   read config and policy, print every fault',
  run: async (args, { configFile, print }) => {
    refuseArguments('check', args)
    const { config, policy } = loadSettings(configFile)
    for (const key of ['tokenFile', 'metricsTokenFile'] as const) readToken(config.value.admin, key)
    print(`${config.file}: good (${config.digest})`)
    print(`${policy.file}: good (${policy.digest})`)
    for (const prefix of config.value.routing.passthrough) {
      print(`warning: ${prefix} is passed through without any check of user or device`)
    }
    return 0
  },
}
