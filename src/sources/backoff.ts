/** How long to wait before what failed is tried again. */
export interface Backoff {
  readonly firstMs: number
  readonly maxMs: number
}

/**
 * Doubles with each failure in a row, between the half and the whole of it by chance, so that many clients do not come
 * back at once. Milliseconds. @param failures from 1 @param random from 0 to 1
 */
export function backoffMs({ firstMs, maxMs }: Backoff, failures: number, random: () => number): number {
  const whole = Math.min(maxMs, firstMs * 2 ** (failures - 1))
  return whole * (0.5 + random() / 2)
}
