import { once } from 'node:events'
import { killStarted } from './started-processes.ts'

/**
 * Runs beside the tests, which keep the other end of its standard input open. However they end, also when they are killed,
 * that end closes: then whatever they had started is killed.
 */
process.stdin.resume()
await once(process.stdin, 'close')
await killStarted(process.argv[2]!)
