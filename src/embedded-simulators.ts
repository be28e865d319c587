import type { Config } from '#config/schema.ts'
import { demoUsers } from '#simulator/demo.ts'
import { createSimulator, type Simulator } from '#simulator/exchange.ts'

/** Simulators that run with the owner, by backend. */
export type RunningSimulators = ReadonlyMap<string, { readonly url: string; readonly simulator: Simulator }>

/** A backend of kind simulator without servers gets one of its own, on any free port of loopback. */
export async function startSimulators(config: Config): Promise<RunningSimulators> {
  const running = new Map<string, { readonly url: string; readonly simulator: Simulator }>()
  for (const [name, backend] of Object.entries(config.backends)) {
    if (backend.kind !== 'simulator' || backend.servers.length > 0) continue
    const simulator = createSimulator({ users: demoUsers(Date.now()) })
    const { url } = await simulator.listen(0, '127.0.0.1')
    running.set(name, { url, simulator })
  }
  return running
}

/** The config that workers get: a simulator's backend has the address that it listens on. */
export function withSimulators(config: Config, simulators: RunningSimulators): Config {
  const backends = Object.entries(config.backends).map(([name, backend]) => {
    const simulator = simulators.get(name)
    return [name, simulator === undefined ? backend : { ...backend, servers: [simulator.url] }] as const
  })
  return { ...config, backends: Object.fromEntries(backends) }
}
