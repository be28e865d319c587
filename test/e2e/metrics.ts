import { createConnection } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { platforms } from '#eas/client/platform.ts'
import { commandNames } from '#eas/commands.ts'
import { easErrorCodes } from '#eas/errors.ts'
import { actions, reasons } from '#policy/reasons.ts'
import { startNode, writeConfig, type NodeProcess } from '../support/node-process.ts'
import { parsePrometheus, valueOf, type Family } from '../support/prometheus.ts'
import { folderSyncRequest, Phone } from '../support/simulated-phone.ts'

/** design.md, Fixed names. */
const names = [
  'easgate_requests_total',
  'easgate_blocked_total',
  'easgate_report_only_total',
  'easgate_devices',
  'easgate_request_duration_seconds',
  'easgate_decision_duration_seconds',
  'easgate_upstream_duration_seconds',
  'easgate_upstream_healthy',
  'easgate_parked_requests',
  'easgate_lookups_total',
  'easgate_facts_age_seconds',
  'easgate_source_sync_total',
  'easgate_failure_mode_total',
  'easgate_revocations_total',
  'easgate_revocation_duration_seconds',
  'easgate_malformed_requests_total',
  'easgate_policy_revision',
  'easgate_policy_reload_total',
  'easgate_changes_held',
  'process_cpu_seconds_total',
]

/** Every word that a label may hold; a label that is not here may not be there. */
const words: Readonly<Record<string, ReadonlySet<string>>> = {
  command: new Set([...commandNames, 'Options', 'Autodiscover', 'none']),
  action: new Set(actions),
  reason: new Set(reasons),
  cause: new Set(reasons),
  state: new Set(actions),
  platform: new Set(platforms),
  code: new Set(easErrorCodes),
  backend: new Set(['simulator', 'none']),
  source: new Set(['file']),
  outcome: new Set([
    'hit',
    'miss',
    'complete',
    'partial',
    'failed',
    'held',
    'loaded',
    'unchanged',
    'faulty',
    'confirmed',
  ]),
  kind: new Set(['policy', 'source', 'quarantine']),
}
/** Bounds of histograms, and the servers of the config. */
const numeric = new Set(['le', 'server'])

async function scrape(node: NodeProcess): Promise<ReadonlyMap<string, Family>> {
  const { status, text } = await node.admin('GET', '/metrics')
  if (status !== 200) throw new Error(text)
  return parsePrometheus(text)
}

async function sendRaw({ proxyUrl }: NodeProcess, request: string): Promise<void> {
  const socket = createConnection(Number(new URL(proxyUrl).port), '127.0.0.1')
  socket.end(request)
  await text(socket)
}

void t.test('owner and two workers give one picture, whose labels no client can choose (T-51)', async (t) => {
  const node = await startNode(t, writeConfig(t, { extra: 'workers: 2' }))
  const before = await scrape(node)
  for (const name of names) t.ok(before.has(name), name)

  // of users and devices of their own, on connections of their own, so that both workers have a share
  await Promise.all(
    Array.from({ length: 40 }, async (_, number) => {
      const phone = new Phone({
        url: node.proxyUrl,
        user: 'carol@example.com',
        deviceId: `INVENTED${number}`,
        deviceType: `Invented${number}`,
      })
      const headers = { connection: 'close', 'user-agent': `Invented/${number}` }
      await phone.send('FolderSync', folderSyncRequest('0'), { headers })
    }),
  )
  for (const [number, line] of [
    'POST /Microsoft-Server-ActiveSync?Cmd=Invented&User=a&DeviceId=b&DeviceType=c HTTP/1.1',
    'POST /Microsoft-Server-ActiveSync?Cmd=Sync&Invented=1 HTTP/1.1',
    'INVENTED /Microsoft-Server-ActiveSync?Cmd=Sync HTTP/1.1',
    'PATCH /Microsoft-Server-ActiveSync?Cmd=Sync&User=a&DeviceId=b&DeviceType=c HTTP/1.1',
    'GET /invented/path HTTP/1.1',
    'GET /Microsoft-Server-ActiveSync HTTP/1.1',
    'OPTIONS /Microsoft-Server-ActiveSync HTTP/1.1',
    'POST /Microsoft-Server-ActiveSync?jAkJBAp2MTQwRGV2aWNlAApTbWFydFBob25l HTTP/1.1',
    'GET /autodiscover/autodiscover.json?Invented=1 HTTP/1.1',
    'nonsense',
  ].entries()) {
    await sendRaw(
      node,
      `${line}\r\nHost: invented${number}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
    )
  }

  const after = await scrape(node)
  for (const name of names) t.ok(after.has(name), name)
  t.equal(
    valueOf(after, 'easgate_requests_total', { reason: 'not-enrolled' }),
    40,
    'of both workers together',
  )
  const requests = valueOf(after, 'easgate_requests_total')
  t.equal(valueOf(after, 'easgate_request_duration_seconds', { le: '+Inf' }), requests)
  t.ok(valueOf(after, 'easgate_malformed_requests_total') >= 4)
  t.equal(valueOf(after, 'easgate_policy_revision'), 1)
  t.equal(valueOf(after, 'easgate_source_sync_total', { source: 'file', outcome: 'complete' }), 1)
  t.ok(valueOf(after, 'easgate_lookups_total', { outcome: 'miss' }) >= 40, 'each device is new to its worker')
  t.ok(valueOf(after, 'easgate_facts_age_seconds', { source: 'file' }) < 600)
  t.equal(valueOf(after, 'easgate_parked_requests'), 0)
  for (const { name, samples } of after.values()) {
    if (!name.startsWith('easgate_')) continue
    for (const { labels } of samples) {
      for (const [label, word] of Object.entries(labels)) {
        const known = words[label]
        t.ok(known?.has(word) ?? numeric.has(label), `${name}: ${label} ${word}`)
      }
    }
  }
})
