import { z } from 'zod'
import { path } from './values.ts'

/** Where facts of users and devices come from. */
export const source = z.discriminatedUnion('kind', [
  /** Device facts from a CSV or JSON file, re-read when it changes. */
  z.strictObject({ kind: z.literal('file'), path }),
])

export type SourceConfig = z.infer<typeof source>
