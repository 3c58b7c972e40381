import Table from 'cli-table3'
import type { Cluster } from '../cluster/cluster.ts'
import type { Outcome } from './outcome.ts'
import { countText } from '../../terminal/quantities.ts'
import type { Colors } from '../../terminal/colors.ts'

export interface ClosingTableOptions {
  readonly cluster: Cluster
  readonly colors: Colors
  readonly outcome: Outcome
  readonly sides: readonly (readonly number[])[]
  /** Writes of a peer during the split. */
  readonly splitWrites: (peer: number) => number
}

/** One row per peer: its final state, and its events. */
export function closingTable(options: ClosingTableOptions): string[] {
  const { cluster, colors, outcome, sides, splitWrites } = options
  const table = new Table({
    head: ['peer', 'side', 'entries', 'fingerprint', 'writes\nin split', 'conflicts\nseen', 'lost'],
    colAligns: ['left', 'left', 'right', 'left', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  })
  for (const { number, state } of cluster.peers) {
    const lost = outcome.mismatches.filter(({ peer }) => peer === number).length
    table.push([
      `peer ${number}`,
      sides.find((side) => side.includes(number))?.join(' ') ?? '',
      countText(state.entries),
      (outcome.converged ? colors.green : colors.red)(state.fingerprint),
      countText(splitWrites(number)),
      countText(state.conflicts),
      (lost === 0 ? colors.green : colors.red)(countText(lost)),
    ])
  }
  return table.toString().split('\n')
}
