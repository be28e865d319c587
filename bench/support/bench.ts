/** How much of a bench is run. */
export interface Effort {
  readonly rounds: number
  /** Requests before the first round, so that all code is compiled. */
  readonly warmUpRequests: number
  /** About how long one run takes; as many requests as that are sent in each. */
  readonly runSeconds: number
}

/** What every bench is handed. */
export interface BenchContext {
  readonly effort: Effort
  /** Empty, and gone after the bench. */
  readonly directory: string
  /** Whatever is started goes in here, so that it is ended however the bench ends. */
  readonly started: AsyncDisposableStack
  /** Tells whoever waits how far it is. */
  readonly say: (line: string) => void
}

/** How one subject compares with another in each round, and the most that the median should be; without it, it is only told. */
export interface Ratio {
  readonly name: string
  readonly ofRounds: readonly number[]
  readonly aim?: number
}

/** One part of the report. */
export interface Section {
  readonly title: string
  readonly text: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
  readonly ratios: readonly Ratio[]
}

/** Asks one question. A file a question; `run.ts` lists them. Rejects where the figures would mean nothing. */
export type Bench = (context: BenchContext) => Promise<Section>
