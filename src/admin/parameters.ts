import { Problem } from './problem.ts'

/**
 * The parameters of a query that are given; empty ones count as absent, as forms send them.
 * @throws {Problem} 400 for one that is not known, or given twice
 */
export function parametersOf<Name extends string>(
  query: URLSearchParams,
  known: readonly Name[],
): Partial<Record<Name, string>> {
  for (const name of query.keys()) {
    if (!known.some((one) => one === name)) {
      throw new Problem(400, 'Bad Request', `there is no parameter ${name}; expected ${known.join(', ')}`)
    }
    if (query.getAll(name).length > 1) throw new Problem(400, 'Bad Request', `${name} is given twice`)
  }
  return Object.fromEntries([...query].filter(([, value]) => value !== '')) as Partial<Record<Name, string>>
}

/**
 * A filter that could never match is a slip of the pen, not an empty inventory.
 * @throws {Problem} 400
 */
export function checkWord(name: string, word: string | undefined, known: readonly string[]): void {
  if (word === undefined || known.includes(word)) return
  throw new Problem(400, 'Bad Request', `there is no ${name} ${word}; expected one of ${known.join(', ')}`)
}
