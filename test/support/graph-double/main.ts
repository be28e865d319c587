import { readFileSync } from 'node:fs'
import { scenarioSchema } from './scenario.ts'
import { serve } from './serve.ts'

/**
 * The double as a process: `node test/support/graph-double/main.ts SCENARIO.json`. Prints one line of JSON once it
 * serves: { url, controlUrl, pid }.
 */
const [, , file] = process.argv
if (file === undefined) throw new Error('which scenario?')
const scenario = scenarioSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
const listening = await serve(scenario)
process.stdout.write(`${JSON.stringify({ ...listening, pid: process.pid })}\n`)
// a test that dies leaves no double behind
process.on('disconnect', () => process.exit())
