import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Listens on any free port of loopback and says which on stdout: the line that `startPeer` waits for. */
export function listen(server: Server): void {
  // the load generator's connections live through all runs
  server.keepAliveTimeout = 120_000
  server.listen(0, '127.0.0.1', () => {
    process.stdout.write(`listening ${(server.address() as AddressInfo).port}\n`)
  })
}
