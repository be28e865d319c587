import type { Query } from './query.ts'
import type { Behaviour, RouteName, Scenario } from './scenario.ts'
import type { Table } from './table.ts'
import type { Tenant } from './tenant.ts'

/** A call of Graph that may be answered. */
export interface Call {
  readonly route: RouteName
  readonly scenario: Scenario
  readonly behaviour: Behaviour
  readonly tenant: Tenant
  /** Counts how often all delta tokens were made void. */
  readonly deltaEpoch: number
  readonly origin: string
  /** As in the URL, from `/v1.0` or `/beta` on. */
  readonly path: string
  /** Ids in the path, decoded, in order. */
  readonly ids: readonly string[]
  readonly query: Query
  /** ConsistencyLevel: eventual, with $count=true: an advanced query. */
  readonly isAdvanced: boolean
  readonly permissions: readonly string[]
  /** Parsed from JSON; undefined without a body. */
  readonly body: unknown
}

/** `/v1.0` or `/beta`. */
export function apiOf(path: string): string {
  return path.slice(0, path.indexOf('/', 1))
}

/** The line that opens every answer of Graph. */
export function contextOf({ origin, path }: Pick<Call, 'origin' | 'path'>, context: string): string {
  return `{"@odata.context":${JSON.stringify(`${origin}${apiOf(path)}/$metadata#${context}`)}`
}

/** The text of one record as an answer of its own. */
export function singleText(
  call: Call,
  context: string,
  table: Table,
  position: number,
  properties: readonly string[],
) {
  return `${contextOf(call, context)},${table.writer(properties)(position).slice(1)}`
}
