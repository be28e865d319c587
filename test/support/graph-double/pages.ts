import type { Test } from 'tap'
import type { ScenarioInput } from './scenario.ts'
import { signIn, type Ask } from './sign-in.ts'
import { startGraphDouble, type GraphDouble } from './start-graph-double.ts'

export const devicesPath = '/v1.0/deviceManagement/managedDevices'

/** A list as it was answered; records as they are. */
export interface Page {
  readonly '@odata.count'?: number
  readonly '@odata.nextLink'?: string
  readonly '@odata.deltaLink'?: string
  readonly value: readonly Readonly<Record<string, unknown>>[]
}

/** A double that ends with the test, and what calls it with a token. */
export async function startDouble(
  t: Test,
  scenario: ScenarioInput = {},
): Promise<{ readonly double: GraphDouble; readonly ask: Ask }> {
  const double = await startGraphDouble(scenario)
  t.teardown(double.stop)
  return { double, ask: await signIn(double) }
}

/** One page. Rejects where the answer is not 200. */
export async function pageOf(
  ask: Ask,
  link: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Page> {
  const answer = await ask(link, { headers })
  if (answer.status !== 200) throw new Error(answer.text)
  return answer.json() as Page
}

/** All pages; nextLinks are followed as they are. */
export async function pagesOf(
  ask: Ask,
  link: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<readonly Page[]> {
  const pages: Page[] = []
  for (let next: string | undefined = link; next !== undefined; next = pages.at(-1)?.['@odata.nextLink']) {
    pages.push(await pageOf(ask, next, headers))
  }
  return pages
}

/** Ids of all records, in order. */
export function idsOf(pages: readonly Page[]): readonly string[] {
  return pages.flatMap(({ value }) => value.map(({ id }) => (typeof id === 'string' ? id : '')))
}

/** A path with OData options. */
export function withOptions(path: string, options: Readonly<Record<string, string>>): string {
  return `${path}?${new URLSearchParams(options).toString()}`
}
