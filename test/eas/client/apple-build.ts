import t from 'tap'
import { agentNumberOfBuild, buildOfAgentNumber, iosVersionOfBuild } from '#eas/client/apple-build.ts'
import examples from '../../fixtures/clients/apple-builds.json' with { type: 'json' }
import { readTsv } from '../../support/tsv.ts'

void t.test('takes every known build to its number, back, and to its version', async (t) => {
  const rows = readTsv('clients', 'ios-builds.tsv')
  t.ok(rows.length > 900)
  const numbers = new Set<string>()
  for (const { Build: build = '', IosVersion: version } of rows) {
    const number = agentNumberOfBuild(build) ?? ''
    numbers.add(number)
    t.equal(buildOfAgentNumber(number), build, `${build} is ${number}`)
    t.equal(iosVersionOfBuild(build), version, `${build} is iOS ${version}`)
  }
  t.equal(numbers.size, rows.length, 'no two builds share a number')
})

void t.test('maps the examples, unknown builds by their letter', async (t) => {
  for (const { build, agentNumber, osVersion, source } of examples) {
    t.equal(agentNumberOfBuild(build), agentNumber, `${build}: ${source}`)
    t.equal(buildOfAgentNumber(agentNumber), build, `${agentNumber}: ${source}`)
    t.equal(iosVersionOfBuild(build), osVersion, `${build}: ${source}`)
  }
})

void t.test('takes the padded form of Apple’s own document', async (t) => {
  t.equal(buildOfAgentNumber('705.018'), '7E18')
  t.equal(buildOfAgentNumber('811.002'), '8K2')
})

void t.test(
  'takes digits that look like a small letter as digits where no such build is known',
  async (t) => {
    t.equal(buildOfAgentNumber('2101.99900001'), '21A99900001')
    t.equal(buildOfAgentNumber('1102.55400002'), '11B55400002')
  },
)

void t.test('knows nothing of what Apple never built', async (t) => {
  for (const number of [
    '',
    '0.0',
    '100.1',
    '1500.100',
    '1527.100',
    '1504',
    '1504.',
    '1504.-1',
    '1504.1e3',
    'x',
    '10004.1',
  ]) {
    t.equal(buildOfAgentNumber(number), undefined, number)
  }
  for (const build of ['', '15d100', '15D', 'D100', '15D100aa', '15Ä100', '__proto__', 'constructor']) {
    t.equal(agentNumberOfBuild(build), undefined, build)
    t.equal(iosVersionOfBuild(build), undefined, build)
  }
  t.equal(iosVersionOfBuild('2A100'), undefined, 'a number never released')
  t.equal(iosVersionOfBuild('21N333'), undefined, 'a letter of another system')
  t.equal(iosVersionOfBuild('99A100'), undefined, 'a number to come')
})
