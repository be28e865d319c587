import { createSeenJudges } from '#admin/what-if/judge-seen.ts'
import { weighChange } from '#admin/what-if/weigh.ts'
import { checkPolicy, type LoadedPolicy, type Settings } from '#config/load.ts'
import type { Config } from '#config/schema.ts'
import { sourceNames } from '#config/source-names.ts'
import { ConfigError, type ConfigFault } from '#config/yaml.ts'
import { DirectoryError } from '#directory/errors.ts'
import { openStoreReader, type StoreReader } from '#directory/store.ts'
import { compilePolicy } from '#policy/compile.ts'

/**
 * What is wrong with config and policy in the light of what the store knows: groups that nobody is in, and a policy
 * that would refuse too many of the devices in use. It works beside a running node.
 *
 * @returns undefined where the store cannot tell yet
 * @throws {DirectoryError} where the store is damaged, or is none
 */
export async function faultsByStore(settings: Settings): Promise<readonly ConfigFault[] | undefined> {
  const reader = readerOf(settings.config.value)
  try {
    if (reader?.sourcesComplete() !== true) return undefined
    return [...unknownGroups(settings, reader), ...(await refusesTooMany(settings, reader))]
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

function unknownGroups({ config, policy }: Settings, reader: StoreReader): readonly ConfigFault[] {
  const known = reader.knownGroups()
  return [...config.groups, ...policy.groups].filter(({ name }) => !known.has(name)).map(({ fault }) => fault)
}

/** Weighs the file against the policy that was in force last, as the node will when it loads it. */
async function refusesTooMany(
  { config, policy }: Settings,
  reader: StoreReader,
): Promise<readonly ConfigFault[]> {
  const before = policyInForce(policy, reader)
  if (before === undefined) return []
  const judge = createSeenJudges({ config: config.value, now: Date.now })(reader)
  const comparison = { before: judge(compilePolicy(before.value)), after: judge(compilePolicy(policy.value)) }
  const share = before.value.maxNewRefusals
  const { weight } = await weighChange(reader, comparison, { share, now: Date.now() })
  if (!weight.tooHeavy) return []
  const { newlyRefused, inUse, maxNewRefusals } = weight
  const message =
    `this policy would newly refuse ${newlyRefused} of the ${inUse} devices in use, ${maxNewRefusals} may be: ` +
    `it would be held; see easgate policy diff ${policy.file}`
  return [policy.fault(['maxNewRefusals'], message)]
}

/** Undefined where it is this one, is not known, or cannot be read any more. */
function policyInForce({ digest, file }: LoadedPolicy, reader: StoreReader): LoadedPolicy | undefined {
  const kept = reader.keptPolicy()
  if (kept === undefined || kept.digest === digest) return undefined
  try {
    return checkPolicy(kept.text, file)
  } catch (error) {
    if (error instanceof ConfigError) return undefined
    throw error
  }
}
