import type { Report } from './messages.ts'

/**
 * What one message holds. To write a report of 10,000 pairs at once takes the thread 50 ms, and the owner's to read it:
 * a part of it takes each 1 to 2 ms.
 */
const pairsOfPart = 250
const tracesOfPart = 50

/** A report as messages of bounded size, in the order in which they are to be sent: traces come after their pairs. */
export function partsOf({ sightings, counts, traces }: Report): readonly Report[] {
  const empty: Report = { sightings: [], counts: [], traces: [] }
  const parts = [
    ...slices(sightings, pairsOfPart).map((some) => ({ ...empty, sightings: some })),
    ...slices(traces, tracesOfPart).map((some) => ({ ...empty, traces: some })),
  ]
  const last = parts.pop() ?? empty
  return [...parts, { ...last, counts }]
}

function slices<Item>(items: readonly Item[], size: number): readonly (readonly Item[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  )
}
