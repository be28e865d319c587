/** A set of rowids. A million of them take 125 KB: one bit each, up to the highest. */
export interface RowSet {
  add(id: number): void
  has(id: number): boolean
  readonly size: number
}

export function createRowSet(): RowSet {
  let bits = new Uint32Array(1024)
  let size = 0
  const isSet = (id: number): boolean => ((bits[id >>> 5] ?? 0) & (1 << (id & 31))) !== 0
  return {
    add(id) {
      const word = id >>> 5
      if (word >= bits.length) {
        const larger = new Uint32Array(Math.max(word + 1, bits.length * 2))
        larger.set(bits)
        bits = larger
      }
      if (isSet(id)) return
      bits[word] = (bits[word] ?? 0) | (1 << (id & 31))
      size++
    },
    has: isSet,
    get size() {
      return size
    },
  }
}
