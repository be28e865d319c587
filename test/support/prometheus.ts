/** One sample of a scrape. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** A metric with its samples, as a scrape declares it. */
export interface Family {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly samples: readonly Sample[]
}

const metricName = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const helpLine = new RegExp(`^# HELP (${metricName}) (.+)$`)
const typeLine = new RegExp(`^# TYPE (${metricName}) (counter|gauge|histogram|summary)$`)
const sampleLine = new RegExp(
  `^(${metricName})(?:\\{(.*)\\})? (NaN|[+-]?(?:Inf|\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?))$`,
)
const labelText = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y

/**
 * Reads Prometheus' text format 0.0.4, strictly: every line must be one of the three kinds, every sample must follow
 * the type of its own metric.
 * @throws {Error} naming the line
 */
export function parsePrometheus(text: string): ReadonlyMap<string, Family> {
  const families = new Map<string, Family & { readonly samples: Sample[] }>()
  let help: { readonly name: string; readonly text: string } | undefined
  let family: (Family & { readonly samples: Sample[] }) | undefined
  const lines = text.split('\n')
  if (lines.pop() !== '') throw new Error('expected a line break at the end')
  for (const line of lines) {
    if (line === '') continue
    const [, helpName = '', helpText = ''] = helpLine.exec(line) ?? []
    const [, typeName = '', type = ''] = typeLine.exec(line) ?? []
    if (helpName !== '') {
      help = { name: helpName, text: helpText }
    } else if (typeName !== '') {
      if (help?.name !== typeName || families.has(typeName)) throw new Error(`out of place: ${line}`)
      family = { name: typeName, type, help: help.text, samples: [] }
      families.set(typeName, family)
    } else {
      const sample = sampleOf(line)
      if (family === undefined || !belongs(sample.name, family)) throw new Error(`out of place: ${line}`)
      family.samples.push(sample)
    }
  }
  for (const { type, samples } of families.values()) if (type === 'histogram') checkHistogram(samples)
  return families
}

function sampleOf(line: string): Sample {
  const [, name, labels = '', value = ''] = sampleLine.exec(line) ?? []
  if (name === undefined) throw new Error(`not a sample: ${line}`)
  return { name, labels: labelsOf(labels, line), value: Number(value.replace('Inf', 'Infinity')) }
}

function labelsOf(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {}
  labelText.lastIndex = 0
  while (labelText.lastIndex < text.length) {
    const [, name = '', value = ''] = labelText.exec(text) ?? []
    if (name === '' || name in labels) throw new Error(`bad labels: ${line}`)
    labels[name] = value
  }
  return labels
}

function belongs(name: string, family: Family): boolean {
  if (family.type !== 'histogram') return name === family.name
  return ['_bucket', '_sum', '_count'].some((suffix) => name === `${family.name}${suffix}`)
}

/** Buckets rise, and the last one holds everything. */
function checkHistogram(samples: readonly Sample[]): void {
  const series = Map.groupBy(samples, ({ labels }) => JSON.stringify({ ...labels, le: undefined }))
  for (const [labels, own] of series) {
    const buckets = own.filter(({ name }) => name.endsWith('_bucket'))
    const count = own.find(({ name }) => name.endsWith('_count'))?.value
    const rising = buckets.every(({ value }, index) => value >= (buckets[index - 1]?.value ?? 0))
    if (!rising || buckets.at(-1)?.labels['le'] !== '+Inf' || buckets.at(-1)?.value !== count) {
      throw new Error(`not a histogram: ${own[0]?.name} ${labels}`)
    }
  }
}

/** The sum of all samples of a metric whose labels hold these. */
export function valueOf(
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const family = families.get(name)
  if (family === undefined) throw new Error(`there is no metric ${name}`)
  return family.samples
    .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
    .reduce((sum, { value }) => sum + value, 0)
}
