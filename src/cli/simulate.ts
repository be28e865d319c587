import { parseArgs } from 'node:util'
import { demoUsers } from '#simulator/demo.ts'
import { createSimulator } from '#simulator/exchange.ts'
import { opened, stopSignal, UsageError, type Command } from './command.ts'

/** Runs the Exchange simulator alone, until it is told to stop. */
export const simulate: Command = {
  usage: 'simulate [--port N]                     run the Exchange simulator alone (default port 8081)',
  run: async (args, { print }) => {
    const { values } = parseArgs({ args: [...args], options: { port: { type: 'string', default: '8081' } } })
    const port = Number(values.port)
    if (!/^\d+$/.test(values.port) || port > 65_535) throw new UsageError('--port takes 0 to 65535')
    const simulator = createSimulator({ users: demoUsers(Date.now()) })
    const { url } = await opened(simulator.listen(port, '127.0.0.1'), '--port', `127.0.0.1:${port}`)
    print(
      `Exchange simulator on ${url}/Microsoft-Server-ActiveSync, users alice, bob, carol, dave, password demo`,
    )
    await stopSignal()
    await simulator.close()
    return 0
  },
}
