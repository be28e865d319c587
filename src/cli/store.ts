import { loadSettings } from '#config/load.ts'
import { rebuildStore } from '#directory/rebuild.ts'
import { openStoreReader } from '#directory/store.ts'
import { UsageError, type Command } from './command.ts'

/** The local store: check and backup work beside a running node, rebuild needs it stopped. */
export const store: Command = {
  usage: [
    'store check                             read the whole store and report damage',
    'store backup FILE                       copy the store, also while the node runs',
    'store rebuild                           move a damaged store aside and keep what can be read',
  ].join('\n'),
  run: async ([name, target, ...rest], { configFile, print, printError }) => {
    const { path } = loadSettings(configFile).config.value.store
    if (rest.length > 0 || (name !== 'backup' && target !== undefined))
      throw new UsageError('too many arguments')
    switch (name) {
      case 'check': {
        const reader = openStoreReader(path, { sourceOrder: [] })
        const { ok, problems, rows, schemaVersion, revision, sizeBytes } = reader.check()
        reader.close()
        print(`${path}: schema ${schemaVersion}, revision ${revision}, ${sizeBytes} bytes`)
        for (const [table, count] of Object.entries(rows)) print(`  ${table.padEnd(16)} ${count}`)
        for (const problem of problems) printError(`${path}: ${problem}`)
        if (!ok) printError(`${path} is damaged; stop easgate and run: easgate store rebuild`)
        return ok ? 0 : 1
      }
      case 'backup': {
        if (target === undefined) throw new UsageError('store backup takes the file to write')
        const reader = openStoreReader(path, { sourceOrder: [] })
        await reader.backup(target)
        reader.close()
        print(`${path} copied to ${target}`)
        return 0
      }
      case 'rebuild': {
        const { movedTo, salvaged, complete } = rebuildStore(path, { now: Date.now })
        print(`the old store lies at ${movedTo}`)
        for (const [table, count] of Object.entries(salvaged))
          print(`  ${table.padEnd(16)} ${count} rows carried over`)
        if (!complete) {
          print('not every row could be read: facts that were pushed may be missing and must be pushed again')
        }
        return 0
      }
      default:
        throw new UsageError('store takes check, backup or rebuild')
    }
  },
}
