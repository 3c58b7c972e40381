import type { FuzzInput } from './fuzz-target.ts'
import { SPREAD, Wire } from './fuzz-wire.ts'
import { Random } from './random.ts'

const VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  2 ** 40,
  1.5,
  'text, also beyond ASCII: ü漢🙂',
  new Uint8Array(300).fill(7),
  new Date(1_700_000_000_000),
  [1, [2, [3, [4]]]],
  { constructor: 'a key like any other', nested: { list: [{}, { a: 1n << 60n }] } },
  Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`field ${i}`, i])),
  undefined,
]

/** All messages of three honest peers that meet, write, part and meet again. */
export function recordCorpus(seed: number): FuzzInput[] {
  const random = new Random(seed)
  const wire = new Wire(seed)
  const corpus: FuzzInput[] = []
  wire.noted = ({ to, bytes }) => corpus.push({ way: to === undefined ? 'broadcast' : 'message', bytes })
  const names = ['ada', 'ben', 'cy']
  for (const name of names) wire.open(name)
  wire.peer('ada').open(SPREAD)
  const links = [
    ['ada', 'ben'],
    ['ben', 'cy'],
    ['ada', 'cy'],
  ] as const
  for (let round = 0; round < 4; round++) {
    for (const [a, b] of links) wire.link(a, b)
    wire.advance(4000)
    for (let i = 0; i < 15; i++) {
      const key = random.pick(['ada', 'ben', `key ${i}`, '<b>bold</b>', 'é'.repeat(50)])
      wire.write(random.pick(names), random.pick(['users', 'orders', '../x']), key, random.pick(VALUES))
      if (i % 5 === 0) wire.advance(50)
    }
    const ada = wire.peer('ada')
    ada.confirmations.request({ collection: 'users', partition: 0, replicaId: ada.replicaId, sequence: 1 }, 3)
    wire.advance(2000)
    for (const name of names) for (let i = 0; i < 5; i++) wire.use(name, `spread ${i}`, random.pick(VALUES))
    wire.advance(20_000)
    if (round === 2) wire.peer('cy').partitions.leave(wire.now)
    for (const [a, b] of links) wire.cut(a, b)
    for (let i = 0; i < 10; i++) wire.write(random.pick(names), 'users', `apart ${i}`, random.pick(VALUES))
    wire.advance(500)
  }
  return corpus
}
