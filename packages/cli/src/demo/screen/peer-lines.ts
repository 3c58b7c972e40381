import type { Cluster, ClusterPeer } from '../cluster/cluster.ts'
import { countText } from '../../terminal/quantities.ts'
import type { Colors } from '../../terminal/colors.ts'
import type { LiveLines } from './screen.ts'

const BAR_MAX = 32
const BAR_MIN = 6
const INDENT_COLUMNS = 5

/** The inputs of the lines besides the peers' own state. */
export interface PeerLinesOptions {
  readonly cluster: Cluster
  readonly colors: Colors
  /** The number of entries of a full bar. */
  readonly target: () => number
  /** Acknowledged writes of a peer, where they are worth a column. */
  readonly writes?: (peer: number) => number
  /** A line above the peers. */
  readonly head?: (columns: number) => string
}

/**
 * One live line per peer: a bar, its entries, its neighbours, and its fingerprint. Equal fingerprints have one colour.
 */
export function peerLines(options: PeerLinesOptions): LiveLines {
  const { cluster, head } = options
  return {
    draw: (columns) => [
      ...(head === undefined ? [] : [head(columns - INDENT_COLUMNS)]),
      ...cluster.peers.map((peer) => peerLine(peer, options, columns - INDENT_COLUMNS)),
    ],
    news: () => `entries ${cluster.peers.map((peer) => news(peer)).join(', ')}`,
  }
}

function peerLine(peer: ClusterPeer, options: PeerLinesOptions, columns: number): string {
  const { colors, target, writes } = options
  const { entries, neighbours, fingerprint } = peer.state
  const name = colors.bold(`peer ${peer.number}`)
  if (peer.status === 'killed') return `${name}  ${colors.red('killed')}`
  if (peer.status === 'starting') return `${name}  ${colors.dim('starting')}`
  const written = writes === undefined ? '' : `  ${countText(writes(peer.number)).padStart(5)} writes`
  const counts = `${countText(entries).padStart(7)} entries  ${neighbours} ${neighbours === 1 ? 'neighbour ' : 'neighbours'}`
  const hash = (entries === 0 ? '' : fingerprint.slice(0, 8)).padEnd(8)
  const room = columns - 'peer 1    '.length - counts.length - written.length - '  '.length - hash.length
  const full = target() === 0 ? 0 : entries / target()
  const line = bar(full, Math.max(BAR_MIN, Math.min(BAR_MAX, room)), colors)
  return `${name}  ${line}  ${counts}${written}  ${fingerprintColor(peer, options)(hash)}`
}

/** A bar that is full at 1. */
export function bar(full: number, columns: number, colors: Colors): string {
  const filled = Math.round(Math.max(0, Math.min(1, full)) * columns)
  return colors.cyan('━'.repeat(filled)) + colors.dim('─'.repeat(columns - filled))
}

/** Green once all are equal, else a colour for each different state. */
function fingerprintColor(peer: ClusterPeer, { cluster, colors }: PeerLinesOptions): (text: string) => string {
  const distinct = [...new Set(cluster.running.map(({ state }) => state.fingerprint))]
  if (distinct.length === 1) return colors.green
  const palette = [colors.cyan, colors.magenta, colors.yellow, colors.blue, colors.white]
  return palette[distinct.indexOf(peer.state.fingerprint)] ?? colors.white
}

function news({ number, status, state }: ClusterPeer): string {
  return `peer ${number}: ${status === 'up' ? countText(state.entries) : status}`
}
