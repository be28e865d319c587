import { createServer, type ServerResponse } from 'node:http'
import { listen } from './peers/listen.ts'
import { syncAnswer } from './support/sync-request.ts'

/** An Exchange of the least cost: any login is good, and every Sync gets the same short answer. */
listen(
  createServer((req, res) => {
    req.resume().once('end', () => {
      if (req.method === 'POST') answer(res, syncAnswer)
      else answer(res, Buffer.alloc(0))
    })
  }),
)

/** Health checks and proofs of credentials want a 200 too. The headers are those of Exchange 2019. */
function answer(res: ServerResponse, body: Buffer): void {
  res.writeHead(200, [
    'Cache-Control',
    'private',
    'Content-Type',
    'application/vnd.ms-sync.wbxml',
    'Content-Length',
    body.length,
    'Server',
    'Microsoft-IIS/10.0',
    'request-id',
    '6e2b1a8c-5f0f-4c39-9a53-0d1b4f4f3c0e',
    'X-CalculatedBETarget',
    'mail1.example.com',
    'X-FEServer',
    'MAIL1',
    'MS-Server-ActiveSync',
    '15.2',
  ])
  res.end(body)
}
