import { type FactsRows, readRows } from './rows.ts'

/** Reads facts from JSON text: a list of records, or `{ "devices": [ … ] }`. Text that is neither is one fault. */
export function readFactsJson(text: string): FactsRows {
  let value: unknown
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch {
    return wholeFault('expected JSON')
  }
  const items = itemsOf(value)
  if (items === undefined) return wholeFault('expected a list of records, or an object with only "devices"')
  return readRows(
    items.map((item, place) => ({ place, value: item })),
    'item',
  )
}

function itemsOf(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value
  if (typeof value !== 'object' || value === null || !('devices' in value)) return undefined
  return Object.keys(value).length === 1 && Array.isArray(value.devices) ? value.devices : undefined
}

function wholeFault(message: string): FactsRows {
  return { records: [], faults: [{ place: 0, field: '', message }] }
}
