import type { Cluster, ClusterPeer } from '../cluster/cluster.ts'
import { countText } from '../../terminal/quantities.ts'
import type { Colors } from '../../terminal/colors.ts'
import type { LiveLines } from './screen.ts'

const CELLS = 32
/** From none of the partitions of a cell to all of them. */
const LEVELS = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const
const NAME_COLUMNS = 8
/** Each number ends where its title does. */
const TITLES = ['  entries', '   owned', '   whole', '  leaving'] as const

/** The inputs of the lines besides the peers' own state. */
export interface PartitionLinesOptions {
  readonly cluster: Cluster
  readonly colors: Colors
  /** A line above the peers. */
  readonly head?: () => string
}

/**
 * One live line per peer: which partitions it has, a column for eight of them, and how many. Yellow columns are on their way to the
 * peer, magenta ones leave it.
 */
export function partitionLines({ cluster, colors, head }: PartitionLinesOptions): LiveLines {
  return {
    draw: () => [
      ...(head === undefined ? [] : [head()]),
      colors.dim(`${' '.repeat(NAME_COLUMNS + CELLS)}${TITLES.join('')}`),
      ...shownPeers(cluster).map((peer) => peerLine(peer, colors)),
    ],
    news: () => {
      const peers = shownPeers(cluster).map((peer) => news(peer))
      return `${head === undefined ? '' : `${head()}; `}whole ${peers.join(', ')}`
    },
  }
}

function shownPeers({ peers }: Cluster): readonly ClusterPeer[] {
  return peers.filter(({ status }) => status !== 'absent')
}

function peerLine(peer: ClusterPeer, colors: Colors): string {
  const name = colors.bold(`peer ${peer.number}`.padEnd(NAME_COLUMNS))
  if (peer.status === 'killed') return `${name}${colors.red('killed, its disk is lost')}`
  if (peer.status === 'left') return `${name}${colors.dim('has left')}`
  if (peer.status === 'starting') return `${name}${colors.dim('starting')}`
  const picture = peer.state.partitions?.picture ?? ''
  const [owned, whole, leaving] = [count(picture, 'wc'), count(picture, 'w'), count(picture, 'h')]
  const numbers = [peer.state.entries, owned, whole, leaving].map((number, i) => {
    return countText(number).padStart(TITLES[i]!.length)
  })
  return `${name}${strip(picture, colors)}${numbers.join('')}`
}

/** A column for each eighth of the partitions' letters: as high as it has partitions. */
function strip(picture: string, colors: Colors): string {
  if (picture === '') return ' '.repeat(CELLS)
  const size = picture.length / CELLS
  const cells = Array.from({ length: CELLS }, (_, i) => {
    const letters = picture.slice(i * size, (i + 1) * size)
    const level = LEVELS[Math.round((count(letters, 'wch') / size) * (LEVELS.length - 1))]!
    if (letters.includes('c')) return colors.yellow(level)
    return letters.includes('h') ? colors.magenta(level) : colors.cyan(level)
  })
  return cells.join('')
}

/** How many partitions of a picture have one of these letters: see `PartitionsState`. */
export function count(picture: string, letters: string): number {
  let found = 0
  for (const letter of picture) if (letters.includes(letter)) found += 1
  return found
}

function news({ number, status, state }: ClusterPeer): string {
  if (status !== 'up') return `peer ${number}: ${status}`
  const picture = state.partitions?.picture ?? ''
  const [owned, whole] = [count(picture, 'wc'), count(picture, 'w')]
  return `peer ${number}: ${whole === owned ? whole : `${whole} of ${owned}`}`
}
