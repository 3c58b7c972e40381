import { Command, InvalidArgumentError, Option } from 'commander'
import type { DemoOptions } from './run-demo.ts'

/** Enough for every kind of write of the split. */
const CITIES_MIN = 100

/** `gossipgrid demo`. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('Peers on this machine: load, split, kill, heal, and check that nothing acknowledged is lost')
    .option('--partitioned', 'seven peers with a partitioned map: two join, one leaves, one is killed for good')
    .option('--once', 'end after the story instead of staying alive for you to try things')
    .option('--json', 'tell the story on stderr, and end with one line of JSON on stdout; implies --once')
    .option('--sabotage', "make one peer lose an entry behind the grid's back, to see that the demo can fail")
    .addOption(
      new Option('--cities <count>', `load only this many of the 135,233 cities, at least ${CITIES_MIN}`)
        .argParser(parseCities)
        .default(Infinity, 'all'),
    )
    .option('--host <address>', 'the IPv4 address to listen on; 0.0.0.0 lets other machines join', '127.0.0.1')
    .option('--verbose', 'show the warnings of the peers')
    .addHelpText('after', HELP)
    .action(async (options: DemoOptions) => {
      const { runDemo } = await import('./run-demo.ts')
      process.exitCode = await runDemo(options)
    })
}

const HELP = `
Examples:
  $ gossipgrid demo                             the whole story, then a prompt and pages to play with the five peers
  $ gossipgrid demo --partitioned               the story of a partitioned map, also on a page, and then the prompt
  $ gossipgrid demo --once --json 2>/dev/null   only the result
  $ gossipgrid demo --once --sabotage           must end with exit code 1; with --partitioned, no peer comes or goes
  $ gossipgrid demo --cities 5000               a small data set

The line of JSON:
  entries        entries that every peer must hold in the end, by the ledger
  splitWrites    writes acknowledged while the network was split
  conflicts      keys written on both sides of the split
  lostWrites     entries, over all peers, that are not what the ledger says they must be
  fingerprints   one per peer
  loadMs         from the first write until all are acknowledged, which is when they are synced to disk
  spreadMs       from then until all five peers hold everything
  healMs         from the end of the split until all five are equal
  healBytes      bytes that all peers together sent on their sockets meanwhile

With --partitioned:
  peers, entries    peers in the end, and entries that must be there, by the ledger
  lostWrites        entries, as each of the peers reads them in the end, that are not what the ledger says they must be
  failedReads       reads that no owner answered, while peers came and went
  failedWrites      writes that were not acknowledged meanwhile
  falseMissing      reads of acknowledged entries that found none
  copiesMin         the fewest peers that have the latest write of an entry, and
  copiesMax         the most that have an entry: both must be 3
  movedBytes        bytes of keys and values that were copied while peers came and went, about
  movedOverOptimum  by how much that is more than what had to be copied
  p99MsSteady       how long 99 of 100 reads took at most before peers came and went, and
  p99MsMoving       meanwhile

Exit code: 0 if nothing is lost and all peers are equal (--partitioned: no read failed, and three peers have each entry), 1 if not,
130 if interrupted.`

function parseCities(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < CITIES_MIN)
    throw new InvalidArgumentError(`It is a number from ${CITIES_MIN}.`)
  return count
}
