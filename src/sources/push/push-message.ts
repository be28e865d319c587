import { z } from 'zod'
import { isDeviceId } from '#eas/device-id.ts'
import { decodeUtf8 } from '#eas/text.ts'
import { readPostedRecords, type PostedFaults } from '#directory/posted-records.ts'
import type { FactsRecord } from '#directory/record.ts'
import type { PushedRemoval } from '#directory/write-pushes.ts'

/** What a push says. */
export interface PushMessage {
  readonly records: readonly FactsRecord[]
  readonly removed: readonly PushedRemoval[]
}

const removals = z.array(
  z.strictObject({ user: z.string().min(1).max(256), deviceId: z.string().refine(isDeviceId) }),
)

/**
 * Reads a body: one record, a list of them, or `{ "devices": [ … ], "removed": [ { "user", "deviceId" }, … ] }` with
 * either list or both. One fault refuses the whole.
 */
export async function readPushMessage(body: Uint8Array): Promise<PushMessage | PostedFaults> {
  const parsed = parseJson(body)
  if (parsed === undefined) return fault('the body is no JSON in UTF-8')
  const parts = partsOf(parsed.json)
  if (parts === undefined) return fault('expected the lists devices and removed, and nothing beside them')
  const removed = removals.safeParse(parts.removed)
  if (!removed.success) return fault('expected removed to be a list of { user, deviceId }')
  const posted = await readPostedRecords(parts.devices)
  return 'records' in posted ? { records: posted.records, removed: removed.data } : posted
}

function parseJson(body: Uint8Array): { readonly json: unknown } | undefined {
  const text = decodeUtf8(body)
  if (text === undefined) return undefined
  try {
    return { json: JSON.parse(text) }
  } catch {
    return undefined
  }
}

function partsOf(json: unknown): { devices: readonly unknown[]; removed: unknown } | undefined {
  if (Array.isArray(json)) return { devices: json, removed: [] }
  const isLists = typeof json === 'object' && json !== null && ('devices' in json || 'removed' in json)
  if (!isLists) return { devices: [json], removed: [] }
  const { devices = [], removed = [], ...others } = json as { devices?: unknown; removed?: unknown }
  return Array.isArray(devices) && Object.keys(others).length === 0 ? { devices, removed } : undefined
}

function fault(detail: string): PostedFaults {
  return { detail, errors: [] }
}
