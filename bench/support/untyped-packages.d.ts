/** The part of autocannon that `load-generator.ts` uses; the package ships no types. */
declare module 'autocannon' {
  interface Options {
    readonly url: string
    readonly connections: number
    /** Requests in all, spread over the connections. */
    readonly amount: number
    readonly method: string
    readonly headers: Readonly<Record<string, string>>
    readonly body: Buffer
    /** Faults after which it gives up. */
    readonly bailout: number
    /** Milliseconds between samples; the run ends on one of them. */
    readonly sampleInt: number
    readonly verifyBody: (body: string) => boolean
  }
  interface Result {
    /** Seconds. */
    readonly duration: number
    readonly requests: { readonly total: number }
    /** Milliseconds. */
    readonly latency: { readonly p50: number; readonly p99: number }
    readonly errors: number
    readonly timeouts: number
    readonly mismatches: number
    readonly statusCodeStats: Readonly<Record<string, { readonly count: number }>>
  }
  export default function autocannon(options: Options): Promise<Result>
}

/** The part of http-proxy that the baseline uses. */
declare module 'http-proxy' {
  import type { Agent, IncomingMessage, ServerResponse } from 'node:http'

  interface Proxy {
    web(req: IncomingMessage, res: ServerResponse): void
    on(event: 'error', listener: (error: Error) => void): this
  }
  const httpProxy: {
    createProxyServer(options: { readonly target: string; readonly agent: Agent }): Proxy
  }
  export default httpProxy
}
