import type { Outcome } from '#telemetry/outcome.ts'

/** That bob's phone was blocked. */
export function outcome(fields: Partial<Outcome> = {}): Outcome {
  return {
    requestId: 'abc-1',
    command: 'Sync',
    action: 'block',
    reason: 'noncompliant',
    rule: 'compliance',
    mode: 'enforce',
    reportOnly: false,
    backend: 'simulator',
    server: undefined,
    status: 200,
    code: undefined,
    user: 'bob@example.com',
    deviceId: 'androidDEMOBOB1',
    deviceType: 'Android',
    userAgent: 'Android-Mail/2023',
    protocolVersion: '16.1',
    platform: 'Android',
    osVersion: '14',
    model: 'Pixel 8',
    client: 'Gmail',
    clientAddress: '192.0.2.7',
    policyRevision: 1,
    factsRevision: 12,
    durationMs: 1.23456,
    decisionMs: 0.05,
    upstreamMs: undefined,
    ...fields,
  }
}
