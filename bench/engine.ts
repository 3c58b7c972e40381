import { decodeValue, encodeValue } from '@gossipgrid/core'
import type { Bench, Figures } from './bench.ts'
import { makeFrames } from './frames.ts'
import { kindFigures } from './kinds.ts'
import { LonePeer, clocks } from './lone-peer.ts'
import { mapSetFigures } from './map-set.ts'
import { liveBytes } from './memory.ts'
import { encodedValueOf, keyOf, objectOf, scattered, valueOf } from './sample.ts'
import { rate, timed } from './stopwatch.ts'
import type { Timing } from './stopwatch.ts'

const SIZES: readonly { readonly count: number; readonly suffix: string }[] = [
  { count: 100_000, suffix: '100k' },
  { count: 1_000_000, suffix: '1M' },
]
/** Local writes between two steps of the peer, as in a busy application. */
const WRITES_PER_STEP = 256
const BATCH = 100
const CODED = 100_000
/** So many rows arrive one by one, after those that arrived in batches. */
const SINGLES = 100_000
/** Entries of the round that is not measured. */
const WARM_UP = 50_000

/** Core alone: no disk, no network, one thread. */
export const engine: Bench = {
  name: 'engine',
  summary: 'core alone: put, overwrite, get, remote apply, encode, decode, memory; map.set, counters, sets in a grid',
  runsDefault: 5,
  run: async (progress) => {
    warmUp()
    const figures: Figures = { ...yardstickFigures(), ...codecFigures() }
    for (const { count, suffix } of SIZES) {
      progress(`${count} entries`)
      Object.assign(figures, localFigures(count, suffix), applyFigures(count, suffix), memoryFigures(count, suffix))
    }
    progress('map.set in a grid')
    Object.assign(figures, await mapSetFigures())
    progress('counters and sets')
    return { ...figures, ...(await kindFigures()) }
  },
}

/** Lets the runtime compile the measured code first: a peer runs for days, so its first second says little. */
function warmUp(): void {
  localFigures(WARM_UP, '')
  applyFigures(WARM_UP + SINGLES, '')
}

/** The present speed of the machine: copies of the same values in a plain `Map`, without any history. */
function yardstickFigures(): Figures {
  const values = Array.from({ length: 1024 }, (_, index) => encodedValueOf(index))
  const keys = Array.from({ length: CODED }, (_, index) => keyOf(index))
  const map = new Map<string, Uint8Array>()
  const timing = timed(CODED, () => {
    for (let index = 0; index < CODED; index++) map.set(keys[index]!, values[index & 1023]!.slice())
  })
  if (map.size !== CODED) throw new Error('the yardstick is short')
  return rate('plainMapPut', '100k', timing)
}

function codecFigures(): Figures {
  const texts = Array.from({ length: CODED }, (_, index) => valueOf(index))
  const objects = Array.from({ length: CODED }, (_, index) => objectOf(index))
  return { ...codecFigure('Text', texts), ...codecFigure('Object', objects) }
}

function codecFigure(suffix: string, values: readonly unknown[]): Figures {
  const encoded: Uint8Array[] = []
  let decoded: unknown
  const encoding = timed(values.length, () => {
    for (const value of values) encoded.push(encodeValue(value, 1000))
  })
  const decoding = timed(values.length, () => {
    for (const bytes of encoded) decoded = decodeValue(bytes)
  })
  if (JSON.stringify(decoded) !== JSON.stringify(values.at(-1))) throw new Error('decoded something else')
  return { ...rate('encode', suffix, encoding), ...rate('decode', suffix, decoding) }
}

/** All work of a durable peer for its own writes: merge, log, group, checkpoint. */
function localFigures(count: number, suffix: string): Figures {
  const keys = Array.from({ length: count }, (_, index) => keyOf(index))
  // Values come from many places in memory, but a million of them would measure the garbage collector.
  const values = Array.from({ length: 1024 }, (_, index) => encodedValueOf(index))
  const lone = new LonePeer('writer')
  const { table } = lone.partition.replica
  const put = writing(lone, keys, values, (visit) => {
    for (let index = 0; index < count; index++) visit(index)
  })
  const overwrite = writing(lone, keys, values, (visit) => scattered(count, visit))
  let found = 0
  const get = timed(count, () => {
    scattered(count, (index) => {
      const slot = table.slotOf(keys[index]!)
      if (slot !== undefined && decodeValue(table.value(slot)!) !== undefined) found += 1
    })
  })
  if (found !== count || table.liveCount !== count) throw new Error(`${found} of ${count} keys were found`)
  return { ...rate('put', suffix, put), ...rate('overwrite', suffix, overwrite), ...rate('get', suffix, get) }
}

function writing(
  lone: LonePeer,
  keys: readonly string[],
  values: readonly Uint8Array[],
  each: (visit: (index: number) => void) => void,
): Timing {
  const { peer, partition } = lone
  return timed(keys.length, () => {
    let now = clocks()
    let written = 0
    each((index) => {
      peer.write(partition, keys[index]!, values[index & 1023]!, now)
      if (++written % WRITES_PER_STEP > 0) return
      now = clocks()
      lone.step({ type: 'tick' }, now)
    })
    lone.step({ type: 'tick' }, clocks())
  })
}

/** All work of a durable peer for a broadcast: decode the message, check every value, merge, log, checkpoint. */
function applyFigures(count: number, suffix: string): Figures {
  const batched = applying(new LonePeer('reader'), makeFrames(0, count, BATCH), count)
  const reader = new LonePeer('reader')
  applying(reader, makeFrames(0, count - SINGLES, BATCH), count - SINGLES)
  const single = applying(reader, makeFrames(count - SINGLES, count, 1), SINGLES)
  return { ...rate('applyBatched', suffix, batched), ...rate('applySingle', suffix, single) }
}

function applying(reader: LonePeer, frames: readonly Uint8Array[], rows: number): Timing {
  const { table } = reader.partition.replica
  const before = table.liveCount
  const timing = timed(rows, () => {
    for (const bytes of frames) reader.step({ type: 'broadcast', from: 'author', bytes }, clocks())
  })
  if (table.liveCount - before !== rows) throw new Error(`${table.liveCount - before} of ${rows} rows were applied`)
  return timing
}

/** The memory of a whole peer, divided by its entries: written here, and received from another peer. */
function memoryFigures(count: number, suffix: string): Figures {
  return {
    [`bytesPerEntry${suffix}`]: bytesOf(() => writtenPeer(count)) / count,
    [`replicatedBytesPerEntry${suffix}`]: bytesOf(() => receivedPeer(count)) / count,
  }
}

/** A separate function, so that no variable keeps anything else alive. */
function bytesOf(make: () => LonePeer): number {
  const before = liveBytes()
  const lone = make()
  const after = liveBytes()
  // The last use of the peer comes after the second measurement of memory.
  lone.step({ type: 'tick' }, clocks())
  return after - before
}

/** Makes the keys in the loop, so that only the peer keeps them alive. */
function writtenPeer(count: number): LonePeer {
  const lone = new LonePeer('writer')
  for (let index = 0; index < count; index++) {
    lone.peer.write(lone.partition, keyOf(index), encodedValueOf(index), clocks())
    if (index % WRITES_PER_STEP === 0) lone.step({ type: 'tick' }, clocks())
  }
  lone.step({ type: 'tick' }, clocks())
  return lone
}

function receivedPeer(count: number): LonePeer {
  const lone = new LonePeer('reader')
  applying(lone, makeFrames(0, count, BATCH), count)
  return lone
}
