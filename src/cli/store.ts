import { loadSettings } from '#config/load.ts'
import { rebuildStore } from '#directory/rebuild.ts'
import { openStoreReader } from '#directory/store.ts'
import { refuseArguments, UsageError, type Command, type CommandContext } from './command.ts'

/** The local store: check and backup work beside a running node, rebuild needs it stopped. */
export const store: Command = {
  usage: [
    'store check                             read the whole store and report damage',
    'store backup FILE                       copy the store, also while the node runs',
    'store rebuild                           move a damaged store aside and keep what can be read',
  ].join('\n'),
  run: async ([name, ...args], context) => {
    switch (name) {
      case 'check':
        refuseArguments('store check', args)
        return checkStore(context)
      case 'backup':
        return backupStore(args, context)
      case 'rebuild':
        refuseArguments('store rebuild', args)
        return rebuild(context)
      default:
        throw new UsageError('store takes check, backup or rebuild')
    }
  },
}

function pathOf({ configFile }: CommandContext): string {
  return loadSettings(configFile).config.value.store.path
}

function checkStore(context: CommandContext): number {
  const { print, printError } = context
  const path = pathOf(context)
  const reader = openStoreReader(path, { sourceOrder: [] })
  const { ok, problems, rows, schemaVersion, revision, sizeBytes } = reader.check()
  reader.close()
  print(`${path}: schema ${schemaVersion}, revision ${revision}, ${sizeBytes} bytes`)
  for (const [table, count] of Object.entries(rows)) print(`  ${table.padEnd(16)} ${count}`)
  for (const problem of problems) printError(`${path}: ${problem}`)
  if (!ok) printError(`${path} is damaged; stop easgate and run: easgate store rebuild`)
  return ok ? 0 : 1
}

async function backupStore(args: readonly string[], context: CommandContext): Promise<number> {
  const [target, ...rest] = args
  if (target === undefined) throw new UsageError('store backup takes the file to write')
  refuseArguments('store backup', rest)
  const path = pathOf(context)
  const reader = openStoreReader(path, { sourceOrder: [] })
  try {
    await reader.backup(target)
  } finally {
    reader.close()
  }
  context.print(`${path} copied to ${target}`)
  return 0
}

function rebuild(context: CommandContext): number {
  const { print } = context
  const { movedTo, salvaged, complete } = rebuildStore(pathOf(context), { now: Date.now })
  print(`the old store lies at ${movedTo}`)
  for (const [table, count] of Object.entries(salvaged))
    print(`  ${table.padEnd(16)} ${count} rows carried over`)
  if (!complete) {
    print('not every row could be read: facts that were pushed may be missing and must be pushed again')
  }
  return 0
}
