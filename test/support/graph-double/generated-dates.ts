const dayMs = 86_400_000
const daysBack = 400

/** JSON texts of dates, drawn by 32 bits; put together from parts, since formatting a date costs more than a record. */
export interface GeneratedDates {
  /** Within 30 days before. */
  readonly before: (bits: number) => string
  /** Within 400 days before, now and then with seven digits of a second. */
  readonly fraction: (bits: number) => string
  /** Within 14 days around. */
  readonly after: (bits: number) => string
  /** null, year 0001, year 9999 or a date before. */
  readonly perhaps: (bits: number) => string
  readonly year1: string
  /** Year 9999, as Graph writes it for no grace period. */
  readonly never: string
}

const year1 = '"0001-01-01T00:00:00Z"'
const never = '"9999-12-31T23:59:59Z"'
const twoDigits = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, '0'))

export function generatedDates(asOf: string): GeneratedDates {
  const midnight = Math.floor(Date.parse(asOf) / dayMs) * dayMs
  const dayText = (daysAfter: number) => new Date(midnight + daysAfter * dayMs).toISOString().slice(0, 10)
  const past = Array.from({ length: daysBack }, (_, days) => dayText(-days - 1))
  const around = Array.from({ length: 14 }, (_, days) => dayText(days - 7))
  return {
    before: (bits) => text(past, 30, bits),
    fraction: (bits) => text(past, daysBack, bits, bits % 3 === 0 ? '.8434218Z' : 'Z'),
    after: (bits) => text(around, 14, bits),
    perhaps: (bits) => {
      const drawn = bits % 16
      if (drawn < 3) return 'null'
      if (drawn < 9) return year1
      return drawn === 9 ? never : text(past, daysBack, bits)
    },
    year1,
    never,
  }
}

function text(days: readonly string[], dayCount: number, bits: number, end = 'Z'): string {
  return `"${days[(bits >>> 5) % dayCount] ?? ''}T${time(bits)}${end}"`
}

function time(bits: number): string {
  const [hours, minutes, seconds] = [bits % 24, (bits >>> 8) % 60, (bits >>> 16) % 60]
  return `${twoDigits[hours] ?? ''}:${twoDigits[minutes] ?? ''}:${twoDigits[seconds] ?? ''}`
}
