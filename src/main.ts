#!/usr/bin/env node
import cluster from 'node:cluster'
import { runCommand } from '#cli/run.ts'
import { serve } from './owner.ts'
import { runWorker } from './worker.ts'

if (cluster.isWorker) runWorker()
else process.exitCode = await runCommand(process.argv.slice(2), serve)
