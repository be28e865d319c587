import { Agent, createServer } from 'node:http'
import httpProxy from 'http-proxy'
import { listen } from './listen.ts'

/** The baseline: forwarding and nothing else, over kept connections. Called with the upstream's port. */
const proxy = httpProxy.createProxyServer({
  target: `http://127.0.0.1:${process.argv[2]}`,
  agent: new Agent({ keepAlive: true }),
})
proxy.on('error', (error) => {
  throw error
})
listen(createServer((req, res) => proxy.web(req, res)))
