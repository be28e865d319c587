/** What easgate speaks to users in: the languages that its texts are built in for. */
export const languages = ['en', 'de', 'fr', 'es', 'ja'] as const
export type Language = (typeof languages)[number]
