import type { Report } from './messages.ts'

/** Pairs of one message. To write 10,000 of them at once holds the thread for 50 ms, and the owner's to read them. */
const pairsOfPart = 1000

/** A report as messages of bounded size, in the order in which they are to be sent: traces come after their pairs. */
export function partsOf({ sightings, counts, traces }: Report): readonly Report[] {
  const parts: Report[] = []
  for (let from = 0; sightings.length - from > pairsOfPart; from += pairsOfPart) {
    parts.push({ sightings: sightings.slice(from, from + pairsOfPart), counts: [], traces: [] })
  }
  return [...parts, { sightings: sightings.slice(parts.length * pairsOfPart), counts, traces }]
}
