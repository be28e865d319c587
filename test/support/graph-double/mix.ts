/** 32 bits that depend on every bit of seed, salt and index, the same in every run: the end of MurmurHash3. */
export function mix(seed: number, salt: number, index: number): number {
  let bits = Math.imul(index + 1, 0x9e3779b1) ^ Math.imul(seed ^ Math.imul(salt, 0x85ebca6b), 0xc2b2ae35)
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}

/** Four hexadecimal digits of each number below 65536: formatting a number costs more than looking it up. */
const fourDigits = Array.from({ length: 0x10000 }, (_, number) => number.toString(16).padStart(4, '0'))

/** The lowest 16 bits as four digits. */
export function hex4(bits: number): string {
  return fourDigits[bits & 0xffff] ?? ''
}

export function hex8(bits: number): string {
  return hex4(bits >>> 16) + hex4(bits)
}

/** Ids of one kind of generated record. */
export interface Guids {
  readonly at: (index: number) => string
  /** Of an id in any letter case; undefined where no index has it. */
  readonly indexOf: (id: string) => number | undefined
}

/** Ids that look random and give their index back, so that a million of them need no map. */
export function guids(seed: number, salt: number): Guids {
  const mask = mix(seed, salt, -1)
  const variant = `-8${hex4(salt).slice(1)}-`
  const at = (index: number): string => {
    const [first, second] = [mix(seed, salt, index), mix(seed, salt + 1, index)]
    const version = hex4(second).slice(1)
    return `${hex8(first)}-${hex4(second >>> 16)}-4${version}${variant}${hex4(first ^ second)}${hex8(index ^ mask)}`
  }
  return {
    at,
    indexOf: (id) => {
      const index = (Number.parseInt(id.slice(28), 16) ^ mask) >>> 0
      return at(index) === id.toLowerCase() ? index : undefined
    },
  }
}

/** The JSON text of each word, as often as its share says, to be picked by number. */
export function spread(shares: Readonly<Record<string, number>>): readonly string[] {
  return Object.entries(shares).flatMap(([word, share]) => Array<string>(share).fill(JSON.stringify(word)))
}

/** Any of the texts, by the bits. */
export function pick(texts: readonly string[], bits: number): string {
  return texts[bits % texts.length] ?? ''
}
