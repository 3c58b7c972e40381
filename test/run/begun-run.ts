import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { beginRun } from './test-run.ts'

/** A test run whose test leaves a process running. */
const endRun = beginRun({ endMaxMs: 200 })
const left = spawn('sleep', ['600'], { stdio: 'ignore', detached: true })
process.send!(left.pid)
await once(process, 'message')
process.send!(await endRun().then(String, String))
process.disconnect()
left.unref()
