import { READ_TIMEOUT_MS } from '@gossipgrid/core'
import type { PartAnswer, PartitionName, PeerId } from '@gossipgrid/core'
import type { ReachedOptions } from '../../reads/after-token.ts'
import { ownPart } from './own-part.ts'
import type { Bounds } from './bounds.ts'
import type { OwnPartDeps, Part, PartKey } from './own-part.ts'
import { readSaid, refused } from './part-question.ts'
import type { PickedFields, Question, Said } from './part-question.ts'
import { comparePositions } from '../../queries/row-order.ts'
import type { Places } from '../places.ts'
import type { RoutedReads } from '../routed-reads.ts'

/** A copy of this peer may go while it is read. Then others are asked, so many times. */
const ATTEMPTS_MAX = 3

/** What a part that is no answer for rows says of rows. */
const NO_ROWS = { end: undefined, looked: 0, index: undefined, ordered: false, cursors: new Map<never, never>() }

/** What peers have said, and what no peer has answered for. */
export interface Asked {
  readonly parts: readonly (Part & { readonly peer: PeerId | undefined })[]
  readonly unanswered: readonly PartitionName[]
}

export interface AskOptions extends ReachedOptions {
  /** The peer that this one asks for. */
  readonly passedFor?: PeerId
}

/** A question of this peer, or one that it passes on: as it is read, and as it travels. */
export interface Asking {
  readonly places: Places
  readonly reads: RoutedReads
  readonly question: Question
  readonly bytes: Uint8Array
  /** What it may cost this peer. */
  readonly bounds: () => Bounds
}

/** Asks the peers that may answer for partitions, this one among them. */
export class PartAsking {
  readonly #deps: OwnPartDeps

  constructor(deps: OwnPartDeps) {
    this.#deps = deps
  }

  /** Asks about partitions, wherever they are. Rejects with `QUERY_TOO_LARGE`, and as reads do. */
  async ask(names: readonly PartitionName[], asking: Asking, options: AskOptions): Promise<Asked> {
    const { pump } = this.#deps
    const own = new Set(names.filter((name) => pump.peer.partitions.mayRead(name, pump.now())))
    const others = names.filter((name) => !own.has(name))
    return this.askSome([...own], others, asking, options)
  }

  /** As `ask`, where it is known what this peer may answer itself. */
  async askSome(
    own: readonly PartitionName[],
    others: readonly PartitionName[],
    asking: Asking,
    options: AskOptions,
  ): Promise<Asked> {
    const endMs = performance.now() + (options.timeoutMs ?? READ_TIMEOUT_MS)
    const found = await Promise.all([this.#own(own, asking), this.#others(others, asking, options)])
    const parts = found.flatMap((each) => each.parts)
    const unanswered = found.flatMap((each) => each.unanswered)
    let mine: readonly PartitionName[] = found.flatMap((each) => each.own)
    // Copies that this peer lost meanwhile, or got.
    for (let attempt = 0; attempt < ATTEMPTS_MAX && mine.length > 0; attempt++) {
      const timeoutMs = Math.max(1, endMs - performance.now())
      const next = await this.#others(mine, asking, { ...options, timeoutMs })
      const again = await this.#own(next.own, asking)
      parts.push(...next.parts, ...again.parts)
      unanswered.push(...next.unanswered)
      mine = again.own
    }
    return { parts, unanswered: [...unanswered, ...mine] }
  }

  /** `own` in the result is what has to be asked again. */
  async #own(names: readonly PartitionName[], asking: Asking): Promise<Asked & { own: readonly PartitionName[] }> {
    if (names.length === 0) return { parts: [], unanswered: [], own: [] }
    const part = await ownPart(this.#deps, names, asking.places, asking.question, asking.bounds())
    return part === undefined
      ? { parts: [], unanswered: [], own: names }
      : { parts: [{ ...part, peer: undefined }], unanswered: [], own: [] }
  }

  /** `own` in the result is what this peer may answer itself by now. */
  async #others(
    names: readonly PartitionName[],
    { reads, question, bytes }: Asking,
    options: AskOptions,
  ): Promise<Asked & { own: readonly PartitionName[] }> {
    if (names.length === 0) return { parts: [], unanswered: [], own: [] }
    const answers = await reads.query(names, bytes, options)
    const byAnswer = new Map<PartAnswer | undefined, PartitionName[]>()
    for (const [place, name] of names.entries()) {
      const answer = answers[place]
      const known = byAnswer.get(answer)
      if (known === undefined) byAnswer.set(answer, [name])
      else known.push(name)
    }
    const unanswered = byAnswer.get(undefined) ?? []
    const own: PartitionName[] = []
    const parts: (Part & { peer: PeerId | undefined })[] = []
    for (const [answer, of] of byAnswer) {
      if (answer === undefined) continue
      if (answer.peer === undefined) {
        own.push(...of)
        continue
      }
      const said = readSaid(question, answer.answer)
      if (said?.type === 'refused') throw refused(said.refusal)
      const part = { names: of, keys: answer.keys, peer: answer.peer }
      if (said === undefined || !goesOn(question, said)) unanswered.push(...of)
      else if (said.type === 'groups') parts.push({ ...part, ...NO_ROWS, groups: said.groups })
      else
        parts.push({
          ...{ ...part, ...said, groups: [], cursors: byName(of, said.cursors) },
          keys: [...answer.keys, ...pickedKeys(of, said.picked)],
        })
    }
    return { parts, unanswered, own }
  }
}

/** Whether rows end behind the place that they begin at: those of a hostile peer may not. */
function goesOn(question: Question, said: Said): boolean {
  if (question.type !== 'rows' || said.type !== 'rows' || said.end === undefined) return true
  const { after, order } = question.query
  return after === undefined || comparePositions(order, said.end, after) > 0
}

function byName(
  names: readonly PartitionName[],
  cursors: ReadonlyMap<number, Uint8Array>,
): ReadonlyMap<PartitionName, Uint8Array> {
  const found = new Map<PartitionName, Uint8Array>()
  for (const name of names) {
    const cursor = cursors.get(name.partition)
    if (cursor !== undefined) found.set(name, cursor)
  }
  return found
}

function pickedKeys(names: readonly PartitionName[], picked: readonly PickedFields[]): PartKey[] {
  const byNumber = new Map(names.map((name) => [name.partition, name]))
  return picked.flatMap(({ partition, key, hlc, content }) => {
    const name = byNumber.get(partition)
    return name === undefined ? [] : [{ name, key, rows: [], picked: { content, hlc } }]
  })
}
