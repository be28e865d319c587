import { createServer } from 'node:http'
import { syncAnswer } from '../support/sync-request.ts'
import { listen } from './listen.ts'

/** The least that Node's HTTP server can do: read the body, answer a small one. No upstream. */
listen(
  createServer((req, res) => {
    req.resume().once('end', () => {
      res.writeHead(200, [
        'Content-Type',
        'application/vnd.ms-sync.wbxml',
        'Content-Length',
        syncAnswer.length,
      ])
      res.end(syncAnswer)
    })
  }),
)
