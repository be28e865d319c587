import { createServer, type ServerResponse } from 'node:http'
import { listen } from './peers/listen.ts'

/** An Exchange that takes any login and parks every command: it is asked for Pings only. */
const server = createServer((req, res) => {
  req.resume().once('end', () => {
    if (req.method !== 'POST') answer(res)
  })
})
// a Ping waits for an hour
server.requestTimeout = 0
listen(server)

/** To proofs of credentials and health checks. */
function answer(res: ServerResponse): void {
  res.writeHead(200, ['Content-Length', 0, 'MS-Server-ActiveSync', '15.2'])
  res.end()
}
