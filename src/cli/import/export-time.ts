/** What a time of an export says: ms since the epoch, undefined where it stands for none, or why it cannot be read. */
export type ReadTime = { readonly at: number | undefined } | { readonly problem: string }

interface Parts {
  /** As they stand. */
  readonly day: readonly [number, number, number]
  readonly separator: string
  readonly time: readonly [hours: number, minutes: number, seconds: number]
  /** Minutes before UTC; 0 where none is told, since Exchange keeps its times in UTC. */
  readonly zoneMinutes: number
}

const written =
  /^(\d{1,4})([./-]) ?(\d{1,2})\2 ?(\d{1,4})\.?[T ,]+(\d{1,2})[:.](\d{2})(?:[:.](\d{2})(?:\.\d{1,9})?)?(?: ?(AM|PM|a\.m\.|p\.m\.))?(Z|[+-]\d{2}:\d{2})?$/i

/** The culture that writes the year first, for who has a file that can be read in two ways. */
export const timeAdvice = "export again after [cultureinfo]::CurrentCulture = 'sv-SE' on the same line"

/**
 * Makes a reader for the times of one export. `Export-Csv` writes them as the culture of its user does, without a zone:
 * whether `03/04/2023` is in March or in April is told by the other dates of the file, or by none.
 *
 * @param texts every time of the file
 */
export function createTimeReader(texts: Iterable<string>): (text: string) => ReadTime {
  let dayFirst = false
  let monthFirst = false
  for (const text of texts) {
    const parts = partsOf(text.trim())
    if (parts === undefined || !isOpen(parts)) continue
    dayFirst ||= parts.day[0] > 12
    monthFirst ||= parts.day[1] > 12
  }
  return (text) => {
    const trimmed = text.trim()
    if (trimmed === '') return { at: undefined }
    const parts = partsOf(trimmed)
    if (parts === undefined) return { problem: `this is no time that easgate can read; ${timeAdvice}` }
    const [year, month, day] = dateOf(parts, dayFirst)
    // year 1, 1601 and 9999 are how .NET, Windows and Graph write none
    if (year < 1970 || year === 9999) return { at: undefined }
    if (isOpen(parts) && dayFirst === monthFirst) {
      return { problem: `the day may come first or the month, and no date of the file tells; ${timeAdvice}` }
    }
    const [hours, minutes, seconds] = parts.time
    const midnight = new Date(Date.UTC(year, month - 1, day))
    const isDay = midnight.getUTCMonth() === month - 1 && midnight.getUTCDate() === day
    if (!isDay || !(hours < 24 && minutes < 60 && seconds < 60))
      return { problem: 'there is no such day or time' }
    return { at: midnight.getTime() + ((hours * 60 + minutes - parts.zoneMinutes) * 60 + seconds) * 1000 }
  }
}

function partsOf(text: string): Parts | undefined {
  const [match, one = '', separator = '', two = '', three = '', hours, minutes, seconds = 0, half, zone] =
    written.exec(text) ?? []
  // a year has four digits, wherever it stands: of two nobody can tell which it is
  const lengths = `${one.length},${three.length}`
  if (match === undefined || !/^(?:4,[12]|[12],4)$/.test(lengths)) return undefined
  return {
    day: [Number(one), Number(two), Number(three)],
    separator,
    time: [hoursOf(Number(hours), half), Number(minutes), Number(seconds)],
    zoneMinutes: zoneMinutesOf(zone),
  }
}

/** True where day and month can be mistaken for each other: the year is last, and no dot tells the German order. */
function isOpen({ day: [first], separator }: Parts): boolean {
  return first < 100 && separator !== '.'
}

function dateOf(
  { day: [one, two, three], separator }: Parts,
  dayFirst: boolean,
): readonly [number, number, number] {
  if (one > 99) return [one, two, three]
  return dayFirst || separator === '.' ? [three, two, one] : [three, one, two]
}

/** NaN, which no comparison takes, for an hour that no clock with two halves shows. */
function hoursOf(hours: number, half: string | undefined): number {
  if (half === undefined) return hours
  if (hours < 1 || hours > 12) return NaN
  return (hours % 12) + (half.toLowerCase().startsWith('p') ? 12 : 0)
}

function zoneMinutesOf(zone: string | undefined): number {
  if (zone === undefined || zone.toUpperCase() === 'Z') return 0
  const [hours = 0, minutes = 0] = zone.slice(1).split(':').map(Number)
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes)
}
