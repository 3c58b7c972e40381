import { expect, test } from 'vitest'
import { EventQueue } from './event-queue.ts'
import { Random } from './random.ts'
import { SimulatedNetwork } from './simulated-network.ts'

const TRAITS = { loss: 0, duplication: 0, reordering: 0, delayMaxMs: 50, congestionMs: 5, missed: 0, unnoticedMs: 1000 }

/** Three machines that are up and connected in a chain, and what they have been told. */
function chain(): { queue: EventQueue; network: SimulatedNetwork; told: string[] } {
  const queue = new EventQueue()
  const told: string[] = []
  const listener = {
    connected: (peer: number, neighbour: number) => told.push(`${peer} connected to ${neighbour}`),
    disconnected: (peer: number, neighbour: number) => told.push(`${peer} disconnected from ${neighbour}`),
    message: (peer: number, from: number, bytes: Uint8Array) => told.push(`${peer} got ${bytes[0]} from ${from}`),
    broadcast: (peer: number, from: number, bytes: Uint8Array) => told.push(`${peer} heard ${bytes[0]} of ${from}`),
    broadcasted: () => {},
    direct: (peer: number, from: number, bytes: Uint8Array) => told.push(`${peer} got frame ${bytes[0]} from ${from}`),
    directed: (peer: number, missed: readonly number[]) => {
      if (missed.length > 0) told.push(`${missed.join()} missed a frame of ${peer}`)
    },
  }
  const allowed = (a: number, b: number): boolean => b - a === 1
  const network = new SimulatedNetwork(queue, new Random(1), listener, 3, { ...TRAITS }, allowed)
  for (const peer of [0, 1, 2]) network.up(peer)
  network.dial(0, 1)
  network.dial(2, 1)
  pass(queue, 5000)
  return { queue, network, told }
}

function pass(queue: EventQueue, ms: number): void {
  const untilMs = queue.nowMs + ms
  while (queue.step(untilMs));
}

test('both ends are told of a connection, and messages keep their order', () => {
  const { queue, network, told } = chain()
  expect(told.toSorted()).toEqual(['0 connected to 1', '1 connected to 0', '1 connected to 2', '2 connected to 1'])
  for (let i = 0; i < 50; i++) network.send(0, 1, Uint8Array.of(i))
  pass(queue, 1000)
  expect(told.slice(4)).toEqual(Array.from({ length: 50 }, (_, i) => `1 got ${i} from 0`))
})

test('a frame goes straight to neighbours, in order, and those that do not get it are named', () => {
  const { queue, network, told } = chain()
  for (let i = 0; i < 50; i++) network.direct(0, [1], Uint8Array.of(i))
  network.direct(0, [1, 2], Uint8Array.of(50))
  pass(queue, 1000)
  const received = told.slice(4).filter((text) => !text.includes('missed'))
  expect(received).toEqual(Array.from({ length: 51 }, (_, i) => `1 got frame ${i} from 0`))
  expect(told.filter((text) => text.includes('missed'))).toEqual(['2 missed a frame of 0'])
})

test('a broadcast reaches those who are connected by way of others', () => {
  const { queue, network, told } = chain()
  network.broadcast(0, Uint8Array.of(7))
  pass(queue, 1000)
  expect(told.slice(4).toSorted()).toEqual(['1 heard 7 of 0', '2 heard 7 of 0'])
})

test('what is sent while the path is closed waits for it to open', () => {
  const { queue, network, told } = chain()
  network.closeOneWay(0, 1)
  network.send(0, 1, Uint8Array.of(1))
  network.send(1, 0, Uint8Array.of(2))
  pass(queue, 150)
  expect(told.slice(4)).toEqual(['0 got 2 from 1'])
  network.openOneWay(0, 1)
  pass(queue, 150)
  expect(told.slice(5)).toEqual(['1 got 1 from 0'])
})

test('a split breaks connections, and they are made again afterwards', () => {
  const { queue, network, told } = chain()
  network.split([0, 1, 1])
  pass(queue, 20_000)
  expect(told.slice(4).toSorted()).toEqual(['0 disconnected from 1', '1 disconnected from 0'])
  network.send(0, 1, Uint8Array.of(1))
  network.heal()
  pass(queue, 20_000)
  expect(told.slice(6).toSorted()).toEqual(['0 connected to 1', '1 connected to 0'])
  network.send(0, 1, Uint8Array.of(2))
  pass(queue, 1000)
  expect(told.at(-1)).toBe('1 got 2 from 0')
})

test('a machine that goes down is missed, and found again when it is up', () => {
  const { queue, network, told } = chain()
  network.down(1)
  pass(queue, 3000)
  expect(told.slice(4).toSorted()).toEqual(['0 disconnected from 1', '2 disconnected from 1'])
  network.up(1)
  pass(queue, 5000)
  expect(told.slice(6)).toHaveLength(4)
})
