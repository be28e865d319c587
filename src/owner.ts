import { setTimeout as delay } from 'node:timers/promises'
import { createApi } from '#admin/api.ts'
import { createConfirmedRefusals } from '#admin/confirmed-refusals.ts'
import { createExplain } from '#admin/explain.ts'
import { createGuard } from '#admin/guard.ts'
import { createHeldChanges } from '#admin/held-changes.ts'
import { createMassRefusal } from '#admin/mass-refusal.ts'
import { createPolicyKeeper, type CurrentPolicy } from '#admin/policy-keeper.ts'
import { createPolicyRoutes } from '#admin/policy-routes.ts'
import { createAdminServer } from '#admin/server.ts'
import { createReadingGuard } from '#admin/reading-guard.ts'
import { createSourceGuard } from '#admin/source-guard.ts'
import { readToken } from '#admin/token.ts'
import { createEvaluator } from '#admin/what-if/evaluate.ts'
import { createSeenJudges } from '#admin/what-if/judge-seen.ts'
import { opened, refuseArguments, stopSignal, type Command } from '#cli/command.ts'
import { isLoopback, loadSettings, type Settings } from '#config/load.ts'
import type { Config } from '#config/schema.ts'
import { sourceNames } from '#config/source-names.ts'
import { createLookup } from '#directory/lookup.ts'
import { openStore, type Store } from '#directory/store.ts'
import { createEnrollmentCodes } from '#enrollment/codes.ts'
import { loginRulesOf } from '#proxy/create-proxy.ts'
import { splitAddress } from '#proxy/edge/listener.ts'
import { createLog } from '#telemetry/log.ts'
import { aggregateMetrics, createMetrics, type Metrics } from '#telemetry/metrics.ts'
import { createSources, type SourceListener } from './create-sources.ts'
import { startSimulators, withSimulators } from './embedded-simulators.ts'
import { createLookUps } from './look-ups.ts'
import { createPublisher } from './publisher.ts'
import { createEnrollmentKeeper } from './enrollment-keeper.ts'
import { createQuarantineKeeper } from './quarantine-keeper.ts'
import { createReports } from './reports.ts'
import { createSourceGroups } from './source-groups.ts'
import { createSourceHealth } from './source-health.ts'
import { refuseUnsafeRuntime } from './runtime.ts'
import { createWorkers, workerCount } from './workers.ts'

/** How long a first start waits for its sources before it serves what is there already. */
const firstReadsMs = 5000
/** How long a start with a changed policy file waits for the word on it before it serves by the policy of before. */
const firstPolicyMs = 5000
const pruneIntervalMs = 60 * 60 * 1000

/** The owner: admin listener, sources, embedded simulator, the one writer of the store, and the workers' parent. */
export const serve: Command = {
  usage: 'serve                                   run the proxy',
  run: async (args, { configFile, print }) => {
    refuseArguments('serve', args)
    refuseUnsafeRuntime(process)
    const settings = loadSettings(configFile)
    const node = await startNode(settings)
    print(banner(settings.config.value, node))
    await stopSignal()
    await node.stop()
    return 0
  },
}

/** A running node. */
export interface Node {
  readonly proxyPort: number
  readonly adminPort: number
  /** The simulators that were started with it, by backend. */
  readonly simulators: ReadonlyMap<string, { readonly url: string }>
  readonly stop: () => Promise<void>
}

/** Starts everything in the order in which it is needed; a fault ends what was started before it. */
export async function startNode({ config: { value: configured }, policy: loaded }: Settings): Promise<Node> {
  const log = createLog(configured.log.level, { pid: process.pid })
  const metrics = createMetrics()
  const started = new AsyncDisposableStack()
  try {
    const simulators = await startSimulators(configured)
    for (const { simulator } of simulators.values()) started.defer(() => simulator.close())
    const config = withSimulators(configured, simulators)
    for (const prefix of config.routing.passthrough) {
      log.warn({ prefix }, 'this path is passed through without any check of user or device')
    }

    const store = openStore(config.store.path, { sourceOrder: sourceNames(config), now: Date.now })
    started.defer(() => store.close())
    const token = readToken(config.admin, 'tokenFile')
    const metricsToken = readToken(config.admin, 'metricsTokenFile')

    const reports = createReports({ store, metrics, log })
    const quarantine = createQuarantineKeeper({
      config: config.quarantine,
      log,
      onChange: (current) => workers.setQuarantine(current),
    })
    const enrollment = createEnrollmentKeeper({
      config,
      log,
      onChange: (current) => workers.setEnrollment(current),
    })
    const codes = createEnrollmentCodes({
      store,
      key: store.signingKey('enrollment link'),
      now: Date.now,
      log,
    })
    const count = workerCount(config.workers)
    const workers = createWorkers({
      count,
      settings: () => ({
        config,
        policy: handed(policies.current()),
        quarantine: quarantine.current(),
        enrollment: enrollment.current(),
        workers: count,
      }),
      log,
      onReport: reports.add,
      onLookUp: (user, deviceId) => lookUps.lookUp(user, deviceId),
      onMakeCode: codes.make,
      onEnterCode: codes.enter,
    })
    const publisher = createPublisher(workers.publish)
    store.onChange(publisher.add)
    const lookup = createLookup({ store, max: config.limits.cachedDevices })
    store.onChange((changes) => {
      for (const change of changes) lookup.apply(change)
    })

    const groups = createSourceGroups({
      routing: config.routing.rules.map(({ group }) => group),
      enforced: publisher.settled,
    })
    const judges = createSeenJudges({ config, now: Date.now })
    const held = createHeldChanges({ store, metrics, log, now: Date.now })
    const policies = createPolicyKeeper({
      loaded,
      store,
      judges,
      held,
      metrics,
      log,
      now: Date.now,
      onDraft: (draft) => groups.prepare(draft),
      onPolicy: async (policy) => {
        await workers.setPolicy(handed(policy))
        groups.keep(policy.value)
      },
    })
    groups.need(policies.current().value)
    const massRefusal = createMassRefusal({
      store,
      held,
      share: config.quarantine.alarmShare,
      log,
      now: Date.now,
      onChange: quarantine.hold,
    })
    await quarantine.hold(massRefusal.heldSince())
    // where the policy of before stays in force for longer, there are many devices to be judged by both
    await Promise.race([policies.started, delay(firstPolicyMs, undefined, { ref: false })])

    const stopSources = new AbortController()
    started.defer(() => stopSources.abort())
    const health = createSourceHealth({
      store,
      metrics,
      log,
      maxFactsAge: () => policies.current().value.onSourceUnavailable.maxFactsAge,
      now: Date.now,
    })
    const { all: sources, listeners } = createSources({
      config,
      store,
      onEvent: health.note,
      enforced: publisher.settled,
      log,
    })
    started.defer(health.watch(sources))
    groups.use(sources)
    const readAgain = async (name: string) => {
      await sources.find((source) => source.name === name)?.readAgain?.()
      await publisher.settled()
    }
    const confirmed = createConfirmedRefusals()
    const guarded = { store, judges, held, confirmed, policy: policies.current, readAgain, now: Date.now }
    store.guardSets(createSourceGuard(guarded))
    store.guardReadings(createReadingGuard(guarded))
    const lookUps = createLookUps({ sources, enforced: publisher.settled, log })
    const firstReads = Promise.all(sources.map((source) => source.start(stopSources.signal)))
    // a first start would begin with 503s, a restart knows what it knew; a large file goes on being read beside it all
    if (!store.sourcesComplete())
      await Promise.race([firstReads, delay(firstReadsMs, undefined, { ref: false })])

    started.defer(() => reports.settled())
    started.defer(() => workers.stop())
    const proxyPort = await workers.start()
    started.defer(massRefusal.watch())
    const pushPorts = await openListeners(listeners, started)

    const reload = () => {
      void policies.reload()
      void quarantine.reload()
      void enrollment.reload()
    }
    process.on('SIGHUP', reload)
    started.defer(() => {
      process.off('SIGHUP', reload)
    })

    const loginRules = loginRulesOf(config.identity)
    const explain = createExplain({
      loginRules,
      lookup,
      config,
      store,
      policy: () => compiledOf(policies.current()),
      quarantineHeldSince: massRefusal.heldSince,
      now: Date.now,
    })
    const evaluator = createEvaluator({ store, judges, policy: policies.current, now: Date.now })
    const admin = createAdminServer({
      ...splitAddress(config.admin.address),
      guard: createGuard({ loopback: isLoopback(config.admin.address), token, metricsToken }),
      routes: new Map([
        ...createApi({ store, loginRules, explain, enforced: publisher.settled, now: Date.now }),
        ...createPolicyRoutes({ policy: policies.current, evaluator, held, now: Date.now }),
      ]),
      readiness: () => {
        if (!workers.ready() || !store.sourcesComplete()) return 'not ready'
        return health.isDegraded() ? 'degraded' : 'ready'
      },
      metrics: async () => {
        health.measure()
        await measure(store, metrics)
        return aggregateMetrics([await metrics.registry.getMetricsAsJSON(), ...(await workers.metrics())])
      },
      log,
    })
    started.defer(() => admin.close())
    const adminPort = await opened(admin.start(), 'admin.address', config.admin.address)

    const pruning = setInterval(() => {
      store
        .prune(config.store.retention)
        .catch((error: unknown) => log.error({ err: error }, 'pruning failed'))
    }, pruneIntervalMs)
    started.defer(() => clearInterval(pruning))
    log.info({ proxyPort, adminPort, ...pushPorts, workers: count }, 'easgate serves')
    return { proxyPort, adminPort, simulators, stop: () => started.disposeAsync() }
  } catch (error) {
    await started.disposeAsync()
    throw error
  }
}

/** What workers get of a policy: they compile it themselves. */
function handed({ value, digest, revision }: CurrentPolicy) {
  return { value, digest, revision }
}

/** What decides. */
function compiledOf({ compiled, digest, revision }: CurrentPolicy) {
  return { value: compiled, digest, revision }
}

/** What is counted in the store rather than as it happens. */
async function measure(store: Store, metrics: Metrics): Promise<void> {
  const counts = await store.deviceCounts()
  // in one go: another scrape under way must not read half of it
  metrics.devices.reset()
  for (const { state, platform, devices } of counts) metrics.devices.set({ state, platform }, devices)
}

/** Opens the listeners that sources have of their own. Gives their ports for the log, by source. */
async function openListeners(
  listeners: readonly SourceListener[],
  started: AsyncDisposableStack,
): Promise<{ readonly sourcePorts?: Readonly<Record<string, number>> }> {
  const ports: Record<string, number> = {}
  for (const { name, key, address, start, close } of listeners) {
    started.defer(close)
    ports[name] = await opened(start(), key, address)
  }
  return listeners.length === 0 ? {} : { sourcePorts: ports }
}

function banner(config: Config, node: Node): string {
  const scheme = config.listen.tls === undefined ? 'http' : 'https'
  const { host } = splitAddress(config.listen.address)
  const adminHost = splitAddress(config.admin.address).host
  return [
    `easgate  proxy ${scheme}://${host}:${node.proxyPort}/Microsoft-Server-ActiveSync`,
    `         admin http://${adminHost}:${node.adminPort}/api/devices`,
    ...[...node.simulators].map(
      ([name, { url }]) => `         backend ${name}: embedded Exchange simulator at ${url}`,
    ),
  ].join('\n')
}
