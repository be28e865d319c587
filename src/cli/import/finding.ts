import { faultText } from '#config/yaml.ts'

/** What an import has to say of one place of its file. */
export interface Finding {
  /** `lost`: it could not be carried over. `note`: it was, and this is good to know. */
  readonly kind: 'lost' | 'note'
  /** 1-based; 0 where it is the file as a whole, or the file is JSON. */
  readonly line: number
  /** Column or key path; empty for the whole line or file. */
  readonly field: string
  readonly message: string
}

/** Says something of a field. */
export type Tell = (kind: Finding['kind'], field: string, message: string) => void

/** `rules.csv:7: QueryString: not carried over: …` */
export function findingText(file: string, { kind, line, field, message }: Finding): string {
  const prefix = kind === 'lost' ? 'not carried over' : 'note'
  return faultText({ file, line, path: field, message: `${prefix}: ${message}` })
}

/** 0 where everything was carried over, else 1. */
export function exitStatusOf(findings: readonly Finding[]): number {
  return findings.some(({ kind }) => kind === 'lost') ? 1 : 0
}
