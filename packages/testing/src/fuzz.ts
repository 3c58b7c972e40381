import { GridError, decodeValue, readBlock, scanCbor } from '@gossipgrid/core'
import { ReplicaIds, decodeForeignVector, decodeMessage } from '@gossipgrid/core/internals'
import { recordCorpus } from './fuzz-corpus.ts'
import { CraftedMessages } from './fuzz-crafted.ts'
import { mutate } from './fuzz-mutations.ts'
import { FuzzTarget } from './fuzz-target.ts'
import type { FuzzInput } from './fuzz-target.ts'
import { Random } from './random.ts'

/** Inputs for one victim. After them it must become equal to an honest peer, and a new victim replaces it. */
const ROUND_INPUTS = 4000
/** The size of an input bounds the work for it. An input that takes this long would hang a peer if it were larger. */
const INPUT_MAX_MS = 2000
const ADVANCE_EVERY = 200

export interface FuzzOptions {
  readonly seed: number
  readonly inputs: number
}

export interface FuzzResult {
  readonly inputs: number
  readonly accepted: number
  /** Number of refused inputs by error code. */
  readonly refused: Readonly<Record<string, number>>
  readonly slowestMs: number
  /** What was wrong, with the input that showed it and the command that repeats the run. '' when nothing was wrong. */
  readonly finding: string
}

/**
 * Sends a peer inputs that no honest peer sends: damaged real messages, valid messages with hostile contents, and both
 * combined. A seed repeats a run.
 */
export function fuzz({ seed, inputs }: FuzzOptions): FuzzResult {
  const refused: Record<string, number> = {}
  let accepted = 0
  let slowestMs = 0
  let given = 0
  for (let round = 0; given < inputs; round++) {
    const random = new Random(seed).fork(`round ${round}`)
    let input: FuzzInput | undefined
    try {
      const target = new FuzzTarget(random.uint32())
      const draw = inputsOf(random, target)
      const end = Math.min(inputs, given + ROUND_INPUTS)
      for (; given < end; given++) {
        input = draw()
        const startMs = performance.now()
        decodeAll(input.bytes)
        target.give(input)
        slowestMs = Math.max(slowestMs, performance.now() - startMs)
        if (slowestMs > INPUT_MAX_MS) throw new Error(`it took ${Math.round(slowestMs)} ms`)
        if (given % ADVANCE_EVERY === 0) target.advance(random.pick([1, 100, 3000, 20_000]))
      }
      input = undefined
      target.settle()
      accepted += target.accepted
      for (const [code, count] of target.refused) refused[code] = (refused[code] ?? 0) + count
    } catch (error) {
      const finding = `round ${round}, input ${given}: ${describe(error)}\n${input === undefined ? '' : hexOf(input)}`
      return { inputs: given, accepted, refused, slowestMs, finding }
    }
  }
  return { inputs: given, accepted, refused, slowestMs, finding: '' }
}

function inputsOf(random: Random, target: FuzzTarget): () => FuzzInput {
  const corpus = recordCorpus(random.uint32())
  const crafted = new CraftedMessages(random, target)
  const donor = (): Uint8Array => random.pick(corpus).bytes
  return () => {
    const kind = random.below(10)
    const sound = kind < 5 ? random.pick(corpus) : crafted.next()
    // Real messages without changes: replayed out of context.
    if (kind === 0 || kind > 6) return sound
    return { way: sound.way, bytes: mutate(sound.bytes, random, donor) }
  }
}

/** Decodes the bytes, and the messages nested in them, with every decoder. */
function decodeAll(bytes: Uint8Array): void {
  const parts = [bytes]
  refusing(() => {
    const message = decodeMessage(bytes)
    if ('block' in message) parts.push(message.block)
    if ('parts' in message && message.type !== 'read') parts.push(...(message.parts ?? []).map(({ vector }) => vector))
  })
  for (const part of parts) {
    refusing(() => readBlock(part, new ReplicaIds()))
    refusing(() => decodeForeignVector(part, new ReplicaIds()))
    refusing(() => {
      scanCbor(part)
      decodeValue(part)
    })
  }
}

/** A decoder may refuse its input. Any other error is a finding. */
function refusing(decode: () => void): void {
  const { stackTraceLimit } = Error
  // Stack traces take longer than decoding, and a refusal needs none.
  Error.stackTraceLimit = 0
  try {
    decode()
  } catch (error) {
    if (error instanceof GridError) return
    Error.stackTraceLimit = stackTraceLimit
    // Decode once more, now with a stack trace.
    decode()
    throw error
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

function hexOf({ way, bytes }: FuzzInput): string {
  const hex = Array.from(bytes.subarray(0, 4096), (byte) => byte.toString(16).padStart(2, '0')).join('')
  return `${way} ${hex}${bytes.length > 4096 ? '…' : ''}`
}
