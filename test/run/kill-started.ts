import { once } from 'node:events'
import { killStarted } from './started-processes.ts'

/**
 * Runs beside the tests. Its standard input closes when they end, also when they are killed. Then it kills every
 * process that they have started.
 */
process.stdin.resume()
await once(process.stdin, 'close')
await killStarted(process.argv[2]!)
