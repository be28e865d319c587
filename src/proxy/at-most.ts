/** Waits for a promise; undefined where it takes longer than `limitMs`. */
export async function atMost<Value>(limitMs: number, promise: Promise<Value>): Promise<Value | undefined> {
  const { promise: over, resolve } = Promise.withResolvers<undefined>()
  const timer = setTimeout(resolve, limitMs, undefined)
  try {
    return await Promise.race([promise, over])
  } finally {
    clearTimeout(timer)
  }
}
