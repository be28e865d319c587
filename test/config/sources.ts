import { join } from 'node:path'
import t, { type Test } from 'tap'
import { mappedFields } from '#config/http-mapping.ts'
import { loadSettings } from '#config/load.ts'
import { ConfigError } from '#config/yaml.ts'
import { factsFields } from '#directory/record.ts'
import rows from '../fixtures/config/sources.json' with { type: 'json' }

/** `path: message` of each fault of a config with these sources. */
function faultsOf(t: Test, sources: readonly unknown[]): readonly string[] {
  const DIRECTORY = t.testdir({
    'easgate.yaml': JSON.stringify({
      backends: { exchange: { kind: 'simulator' } },
      routing: { default: 'exchange' },
      policy: { file: '${DIRECTORY}/policy.yaml' },
      sources,
    }),
    'policy.yaml': '',
    secret: 'a secret',
  })
  try {
    loadSettings(join(DIRECTORY, 'easgate.yaml'), { DIRECTORY })
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.faults.map(({ path, message }) => `${path}: ${message}`.replaceAll(DIRECTORY, ''))
  }
}

for (const { name, source, faults } of rows) {
  void t.test(name, async (t) => t.strictSame(faultsOf(t, [source]), faults))
}

void t.test('a mapping may name every field of a record, and the id of the record', async (t) => {
  t.strictSame([...mappedFields.keys()].toSorted(), [...factsFields, 'recordId'].toSorted())
})
