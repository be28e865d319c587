import type { DeviceEntry } from '#directory/list-devices.ts'

const timeFields = new Set([
  'graceUntil',
  'lastCheckIn',
  'asOf',
  'firstAt',
  'lastAt',
  'allowedAt',
  'importedAt',
  'provisionAskedAt',
  'noncompliantSince',
  'until',
  'at',
])

/** An entry of the inventory as JSON shows it: times in ISO 8601. */
export function shownDevice(entry: DeviceEntry): unknown {
  return JSON.parse(JSON.stringify({ ...entry, deviceKey: undefined }), (name, value: unknown) =>
    timeFields.has(name) && typeof value === 'number' ? new Date(value).toISOString() : value,
  )
}
