/**
 * A worker process that behaves as EASGATE_FAKE_WORKER says:
 * good   listens, acknowledges, reports each change and its own end
 * deaf   listens and answers nothing after that, not even `stop`
 * failed cannot start
 * dying  ends at the first change, without a word
 */
import type { OwnerMessage, Report, WorkerMessage } from '../../src/messages.ts'

const behaviour = process.env['EASGATE_FAKE_WORKER'] ?? 'good'
const endRevision = 0

function send(message: WorkerMessage, onSent: () => void = () => undefined): void {
  process.send?.(message, onSent)
}

/** A report that carries a number. */
function reportOf(requests: number): Report {
  return {
    sightings: [],
    traces: [],
    counts: [{ hour: 0, action: 'allow', reason: 'compliant', platform: 'iOS', requests }],
  }
}

process.on('message', (message: OwnerMessage) => {
  if (message.type === 'start') {
    if (behaviour === 'failed') {
      send({ type: 'failed', message: 'cannot listen on 127.0.0.1:8080' })
    } else {
      send({ type: 'listening', port: 8080 })
    }
    return
  }
  if (behaviour === 'deaf') return
  if (behaviour === 'dying') process.exit(7)
  switch (message.type) {
    case 'changes':
      for (const { revision } of message.changes) send({ type: 'report', report: reportOf(revision) })
      send({ type: 'ack', id: message.id })
      return
    case 'policy':
      send({ type: 'report', report: reportOf(message.policy.revision) })
      send({ type: 'ack', id: message.id })
      return
    case 'quarantine':
      send({ type: 'report', report: reportOf(message.quarantine.texts.subject.length) })
      send({ type: 'ack', id: message.id })
      return
    case 'enrollment':
      send({ type: 'report', report: reportOf(message.enrollment.texts.en.start.title.length) })
      send({ type: 'ack', id: message.id })
      return
    case 'looked-up':
    case 'code-made':
    case 'code-entered':
      return
    case 'metrics':
      send({ type: 'metrics', id: message.id, snapshot: [] })
      return
    case 'stop':
      send({ type: 'report', report: reportOf(endRevision) })
      send({ type: 'ack', id: message.id }, () => process.exit(0))
  }
})
