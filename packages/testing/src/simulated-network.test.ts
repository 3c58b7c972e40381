import { expect, test } from 'vitest'
import { EventQueue } from './event-queue.ts'
import { Random } from './random.ts'
import { SimulatedNetwork } from './simulated-network.ts'

const TRAITS = { loss: 0, duplication: 0, reordering: 0, delayMaxMs: 50, congestionMs: 5, missed: 0, unnoticedMs: 1000 }

/** Three machines that are up and connected in a chain, and the events that the network reported. */
function chain(): { queue: EventQueue; network: SimulatedNetwork; events: string[] } {
  const queue = new EventQueue()
  const events: string[] = []
  const listener = {
    connected: (peer: number, neighbour: number) => events.push(`${peer} connected to ${neighbour}`),
    disconnected: (peer: number, neighbour: number) => events.push(`${peer} disconnected from ${neighbour}`),
    message: (peer: number, from: number, bytes: Uint8Array) => events.push(`${peer} got ${bytes[0]} from ${from}`),
    broadcast: (peer: number, from: number, bytes: Uint8Array) => events.push(`${peer} heard ${bytes[0]} of ${from}`),
    broadcasted: () => {},
    direct: (peer: number, from: number, bytes: Uint8Array) =>
      events.push(`${peer} got frame ${bytes[0]} from ${from}`),
    directed: (peer: number, missed: readonly number[]) => {
      if (missed.length > 0) events.push(`${missed.join()} missed a frame of ${peer}`)
    },
  }
  const allowed = (a: number, b: number): boolean => b - a === 1
  const network = new SimulatedNetwork(queue, new Random(1), listener, 3, { ...TRAITS }, allowed)
  for (const peer of [0, 1, 2]) network.up(peer)
  network.dial(0, 1)
  network.dial(2, 1)
  pass(queue, 5000)
  return { queue, network, events }
}

function pass(queue: EventQueue, ms: number): void {
  const untilMs = queue.nowMs + ms
  while (queue.step(untilMs));
}

test('both ends learn of a connection, and messages keep their order', () => {
  const { queue, network, events } = chain()
  expect(events.toSorted()).toEqual(['0 connected to 1', '1 connected to 0', '1 connected to 2', '2 connected to 1'])
  for (let i = 0; i < 50; i++) network.send(0, 1, Uint8Array.of(i))
  pass(queue, 1000)
  expect(events.slice(4)).toEqual(Array.from({ length: 50 }, (_, i) => `1 got ${i} from 0`))
})

test('a frame goes directly to neighbours, in order, and those that miss it are named', () => {
  const { queue, network, events } = chain()
  for (let i = 0; i < 50; i++) network.direct(0, [1], Uint8Array.of(i))
  network.direct(0, [1, 2], Uint8Array.of(50))
  pass(queue, 1000)
  const received = events.slice(4).filter((text) => !text.includes('missed'))
  expect(received).toEqual(Array.from({ length: 51 }, (_, i) => `1 got frame ${i} from 0`))
  expect(events.filter((text) => text.includes('missed'))).toEqual(['2 missed a frame of 0'])
})

test('a broadcast reaches peers that are connected through others', () => {
  const { queue, network, events } = chain()
  network.broadcast(0, Uint8Array.of(7))
  pass(queue, 1000)
  expect(events.slice(4).toSorted()).toEqual(['1 heard 7 of 0', '2 heard 7 of 0'])
})

test('a message sent while the path is closed waits for it to open', () => {
  const { queue, network, events } = chain()
  network.closeOneWay(0, 1)
  network.send(0, 1, Uint8Array.of(1))
  network.send(1, 0, Uint8Array.of(2))
  pass(queue, 150)
  expect(events.slice(4)).toEqual(['0 got 2 from 1'])
  network.openOneWay(0, 1)
  pass(queue, 150)
  expect(events.slice(5)).toEqual(['1 got 1 from 0'])
})

test('a split breaks connections, and they are made again after it', () => {
  const { queue, network, events } = chain()
  network.split([0, 1, 1])
  pass(queue, 20_000)
  expect(events.slice(4).toSorted()).toEqual(['0 disconnected from 1', '1 disconnected from 0'])
  network.send(0, 1, Uint8Array.of(1))
  network.heal()
  pass(queue, 20_000)
  expect(events.slice(6).toSorted()).toEqual(['0 connected to 1', '1 connected to 0'])
  network.send(0, 1, Uint8Array.of(2))
  pass(queue, 1000)
  expect(events.at(-1)).toBe('1 got 2 from 0')
})

test('a machine that goes down is reported as disconnected, and connects again when it is up', () => {
  const { queue, network, events } = chain()
  network.down(1)
  pass(queue, 3000)
  expect(events.slice(4).toSorted()).toEqual(['0 disconnected from 1', '2 disconnected from 1'])
  network.up(1)
  pass(queue, 5000)
  expect(events.slice(6)).toHaveLength(4)
})
