// Writes batches to the storage in the given directory, and prints the number of each acknowledged one, until it is
// killed. It continues where an earlier run stopped. With a number as second argument only the batch of that number is
// durable, and the program stops itself when that batch is acknowledged.
import process from 'node:process'
import { printNow } from './crash-trial-output.ts'
import { trialBatch, trialHead } from './crash-trial.ts'
import { levelStorage } from './level.ts'

const UNDER_WAY_MAX = 16

const storage = await levelStorage({ directory: process.argv[2] ?? '' })
const stopAt = process.argv[3] === undefined ? undefined : Number(process.argv[3])
const underWay: Promise<void>[] = []
for (let n = (await trialHead(storage)) + 1; ; n++) {
  // An early batch that is not durable must not leave a hole either.
  const durable = stopAt === undefined ? n % 4 !== 0 : n === stopAt
  const written = storage.write(trialBatch(n), { durable })
  underWay.push(durable ? written.then(() => acknowledge(n)) : written)
  if (underWay.length >= UNDER_WAY_MAX) await underWay.shift()
}

function acknowledge(n: number): void {
  printNow(String(n))
  if (n === stopAt) process.kill(process.pid, 'SIGSTOP')
}
