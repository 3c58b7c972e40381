import type { OwnersAnswer } from '../control/partitioned/owners-answer.ts'
import { shortId } from '../control/running-peer.ts'
import type { Colors } from '../terminal/colors.ts'
import { table } from '../terminal/table.ts'
import { visible } from '../terminal/visible.ts'

/** The owners of a key, the first choice first. */
export function ownerTable({ owners }: OwnersAnswer, colors: Colors): Promise<string> {
  const rows = owners.map(({ peerId, zone, state, connected }) => [
    shortId(peerId),
    visible(zone) || '-',
    state === 'whole' ? state : colors.yellow(state),
    connected ? 'yes' : colors.yellow('no'),
  ])
  return table([{ title: 'owner' }, { title: 'zone' }, { title: 'copy' }, { title: 'connected' }], rows, colors)
}
