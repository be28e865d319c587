import { languages, type Language } from '#config/languages.ts'

/** More than any browser sends. */
const maxRanges = 32
const range =
  /^\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*|\*)\s*(?:;\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?$/

/**
 * The language that a browser wants most among those that we have. A part of the header that is malformed counts as
 * absent. RFC 9110 12.5.4
 *
 * @param fallback where it wants none of them, or does not say
 */
export function pickLanguage(acceptLanguage: string | undefined, fallback: Language): Language {
  if (acceptLanguage === undefined) return fallback
  let best: Language | undefined
  let bestQuality = 0
  for (const part of acceptLanguage.split(',', maxRanges)) {
    const [, tag = '', quality = '1'] = range.exec(part) ?? []
    const language = tag === '*' ? fallback : languageOf(tag)
    if (language === undefined || Number(quality) <= bestQuality) continue
    best = language
    bestQuality = Number(quality)
  }
  return best ?? fallback
}

/** `de-CH` is served in German. */
function languageOf(tag: string): Language | undefined {
  const primary = tag.split('-', 1)[0]?.toLowerCase()
  return languages.find((language) => language === primary)
}
