/** Records that a list may lack without being held back: a small site loses a large share with a few phones. */
const alwaysFew = 10

/**
 * How many records fewer than are known a list may have before it is not believed. T-56
 *
 * @param maxDrop share of those that are known
 */
export function allowedDrop(known: number, maxDrop: number): number {
  return Math.max(alwaysFew, Math.floor(known * maxDrop))
}
