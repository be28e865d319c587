/** Records sent in one call, and characters of their JSON: at most three quarters of what the API takes. */
const maxBatchRecords = 1000
const maxBatchLength = 1_000_000

/** Records of some length together go in one call: a user may be in hundreds of groups. */
export function* batchesOf<Item>(records: readonly Item[]): Generator<readonly Item[]> {
  let batch: Item[] = []
  let length = 0
  for (const record of records) {
    const recordLength = JSON.stringify(record).length
    if (batch.length > 0 && (batch.length === maxBatchRecords || length + recordLength > maxBatchLength)) {
      yield batch
      batch = []
      length = 0
    }
    batch.push(record)
    length += recordLength
  }
  if (batch.length > 0) yield batch
}
