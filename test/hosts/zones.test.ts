import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PeerLedger, stateOf, until } from '../partitioned/ledger-of-peers.ts'
import { PartitionedPeer } from '../partitioned/peer-process.ts'
import { ZonedNetwork } from './zoned-network.ts'

const ZONES = ['north', 'north', 'north', 'south', 'south', 'west', 'west'] as const
const KEYS = 40

let root: string
let network: ZonedNetwork
const peers: PartitionedPeer[] = []
const ledger = new PeerLedger()

/** The peers of some zones. */
function of(...zones: readonly string[]): PartitionedPeer[] {
  return peers.filter((_, place) => zones.includes(ZONES[place]!))
}

/** Waits until each of these peers sees those others in none of these states. */
async function noneIs(
  seen: readonly PartitionedPeer[],
  by: readonly PartitionedPeer[],
  states: string[],
): Promise<void> {
  await until(
    async () => {
      const members = await Promise.all(by.map(async (peer) => (await stateOf(peer)).members))
      return members.every((known) => seen.every(({ peerId }) => !states.includes(known[peerId] ?? 'gone')))
    },
    `none of ${seen.length} peers is ${states.join(' or ')}`,
  )
}

async function more(writes: number): Promise<void> {
  const wanted = ledger.count + writes
  await until(async () => ledger.count >= wanted, 'writing goes on')
}

async function allAgree(): Promise<void> {
  for (const peer of peers) await ledger.readBy(peer, ['writer'])
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'gossipgrid-zones-'))
  network = new ZonedNetwork(`gg${process.pid}`, ZONES)
  for (const [place, zone] of ZONES.entries()) {
    const options = {
      directory: join(root, `peer-${place}`),
      zone,
      secret: 'of a test, and long enough for one',
      listen: [`/ip4/${network.address(place)}/tcp/4001`],
      join: place === 0 ? [] : [peers[0]!.addresses.find((address) => address.includes('/10.'))!],
    }
    peers.push(await PartitionedPeer.start(options, network.within(place)))
  }
  await until(async () => {
    const states = await Promise.all(peers.map(stateOf))
    return states.every(({ owned, whole }) => owned > 0 && owned === whole)
  }, 'all owners are whole')
})
afterAll(async () => {
  await Promise.all(peers.map((peer) => peer.kill()))
  network.close()
  await rm(root, { recursive: true, force: true })
})

describe('seven peers in three zones, under load', () => {
  it('have each partition in all zones', async () => {
    const keys = Array.from({ length: 200 }, (_, i) => `key ${i}`)
    await until(async () => {
      const owners = await peers[0]!.ask<{ zone: string; state: string }[][]>({ call: 'owners', keys })
      return owners.every((each) => new Set(each.map(({ zone }) => zone)).size === 3)
    }, 'owners are in all zones')
    for (const [place, peer] of peers.entries()) ledger.writeOn(peer, `writer ${place}`, KEYS)
    await more(200)
  })

  it('go on on both sides while a zone is cut off, and have everything after the heal', async () => {
    network.cut('west')
    await noneIs(of('west'), of('north', 'south'), ['alive'])
    await more(400)
    // Each side has a whole copy of everything, and finds all that it wrote itself.
    const inside = ['writer 5', 'writer 6']
    const outside = [0, 1, 2, 3, 4].map((place) => `writer ${place}`)
    for (const peer of of('west')) await ledger.readBy(peer, inside)
    for (const peer of of('north', 'south')) await ledger.readBy(peer, outside)
    network.heal('west')
    await noneIs(of('west'), of('north', 'south'), ['suspect', 'gone'])
    await allAgree()
  })

  it('go on while a zone hears nothing, though the others hear it', async () => {
    network.deafen('south')
    await noneIs(of('north', 'west'), of('south'), ['alive'])
    await more(200)
    network.heal('south')
    await noneIs(of('north', 'west'), of('south'), ['suspect', 'gone'])
    await noneIs(of('south'), of('north', 'west'), ['suspect', 'gone'])
    await allAgree()
  })

  it('go on while one stands still, which answers with nothing old when it goes on', async () => {
    const [standing] = of('south')
    await ledger.writeAll(peers[0]!, 'sure', 1, 3)
    standing!.standStill()
    await noneIs([standing!], of('north', 'west'), ['alive', 'suspect'])
    await more(400)
    await ledger.writeAll(peers[1]!, 'sure', 2, 2)
    standing!.goOn()
    for (let i = 0; i < 3; i++) expect((await ledger.compare(standing!, ['sure'])).wrong).toEqual([])
    await allAgree()
  })

  it('have lost nothing in the end', async () => {
    await ledger.end()
    await allAgree()
    await until(async () => {
      const states = await Promise.all(peers.map(stateOf))
      return states.every(({ hints, underReplicated, unreachable }) => hints + underReplicated + unreachable === 0)
    }, 'all owners have everything')
    expect(ledger.count).toBeGreaterThan(1200)
  })
})
