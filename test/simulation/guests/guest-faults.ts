import type { CounterGrant, DocGrant, MapGrant, SetGrant } from '../../../packages/grid/src/guests/grants.ts'
import { documentGrants } from './documents/document-workload.ts'
import { orderGrants } from './partitioned/orders.ts'
import type { GuestWorld } from './guest-workload.ts'
import type { SimulatedChannel } from './simulated-channel.ts'
import type { SimulatedGuest } from './simulated-guest.ts'
import type { SimulatedMember } from './simulated-member.ts'

type Grant = MapGrant | SetGrant | CounterGrant | DocGrant

/** What guests do beside writing to replicated maps, sets and counters. */
export interface FaultOptions {
  readonly documents: boolean
  readonly partitioned: boolean
}

/** What goes wrong between members, and between guests and members; and what passes allow. */
export class GuestFaults {
  readonly channels: Set<SimulatedChannel> = new Set()
  readonly #world: GuestWorld
  readonly #grants = new Map<string, readonly Grant[]>()
  readonly #issued = new Map<string, string[]>()
  /** Pairs of guests and members that do not reach each other. */
  readonly #cut = new Set<string>()
  /** What takes time, and is done between two looks. */
  #pending: (() => Promise<void>)[] = []
  readonly #options: FaultOptions
  /** Connections last long enough for passes to be renewed on them. */
  readonly #isCalm: boolean
  #isHealed = false

  constructor(world: GuestWorld, options: FaultOptions) {
    this.#world = world
    this.#options = options
    this.#isCalm = options.partitioned && world.random.fork('calm').chance(0.4)
  }

  grantsOf(subject: string): readonly Grant[] {
    const known = this.#grants.get(subject) ?? this.fullGrants(subject)
    this.#grants.set(subject, known)
    return known
  }

  issued(subject: string, id: string): void {
    this.#issued.set(subject, [...(this.#issued.get(subject) ?? []), id])
  }

  passLifeMs(): number {
    if (this.#isHealed) return 3_600_000
    return this.#isCalm ? 8000 : this.#world.random.pick([3000, 15_000, 600_000])
  }

  reaches({ index }: SimulatedGuest, member: SimulatedMember): boolean {
    return !this.#cut.has(`${index} ${member.index}`)
  }

  start(): void {
    const { members } = this.#world
    this.#repeat(6000, () => this.#split())
    this.#repeat(this.#isCalm ? 15_000 : 1500, () => this.#cutGuest())
    this.#repeat(this.#isCalm ? 10_000 : 1200, () => this.#loseChannel())
    this.#repeat(7000, () => this.#crashMember(this.#world.random.pick(members)))
    this.#repeat(5000, () => this.#crashGuest())
    this.#repeat(3500, () => this.#changeGrants())
    this.#repeat(5000, () => this.#revoke())
  }

  /** Does what takes time. */
  async perform(): Promise<void> {
    for (const act of this.#pending.splice(0)) await act()
  }

  /** Everyone is up and reaches everyone, with all rights. */
  async heal(): Promise<void> {
    const { guests, hub, members, time } = this.#world
    this.#isHealed = true
    await this.perform()
    this.#cut.clear()
    hub.heal()
    for (const member of members) if (member.grid === undefined) await time.settled(member.start())
    for (const guest of guests) {
      this.#grants.set(guest.subject, this.fullGrants(guest.subject))
      if (guest.grid === undefined) await time.settled(guest.start())
      // They ask for other passes.
      guest.channel?.lose('everything is healed')
    }
    for (const { subject } of guests)
      for (const id of this.#issued.get(subject) ?? []) await time.settled(members[0]!.revocations!.revoke(id))
  }

  /** Some guests are away for weeks, and come back a while after the call of the returned function. */
  async sendAway(): Promise<() => void> {
    const { guests, oracle, random } = this.#world
    await this.perform()
    const away = guests.filter(({ grid }) => grid !== undefined && random.chance(0.5))
    for (const guest of away) {
      guest.crash()
      oracle.ledger.forgot(guest.index)
    }
    return () => {
      for (const guest of away) this.#startLater(guest, random.between(1000, 12_000))
    }
  }

  /** All that a subject may do. */
  fullGrants(subject: string): readonly Grant[] {
    const { documents, partitioned } = this.#options
    return [
      ...fullGrants(subject),
      ...(documents ? documentGrants(subject) : []),
      ...(partitioned ? orderGrants(subject) : []),
    ]
  }

  #startLater(guest: SimulatedGuest, delayMs: number): void {
    this.#world.time.timer(() => {
      this.#pending.push(async () => {
        if (guest.grid === undefined) await this.#world.time.settled(guest.start())
      })
    }, delayMs)
  }

  #repeat(everyMs: number, cause: () => void): void {
    const { random, time } = this.#world
    time.timer(
      () => {
        if (this.#isHealed) return
        cause()
        this.#repeat(everyMs, cause)
      },
      everyMs * (0.5 + random.fraction()),
    )
  }

  #split(): void {
    const { hub, members, random } = this.#world
    const apart = random.pick(members)
    hub.split([apart.peerId])
    this.#world.time.timer(() => hub.heal(), random.between(500, 12_000))
  }

  #cutGuest(): void {
    const { guests, members, random, time } = this.#world
    const guest = random.pick(guests)
    const those = random.chance(0.5) ? members : [random.pick(members)]
    const pairs = those.map((member) => `${guest.index} ${member.index}`)
    for (const pair of pairs) this.#cut.add(pair)
    const member = guest.channel?.guest.peerId
    if (those.some(({ peerId }) => peerId === member)) guest.channel!.lose('it is cut off')
    time.timer(() => pairs.forEach((pair) => this.#cut.delete(pair)), random.between(200, 8000))
  }

  #loseChannel(): void {
    const { random } = this.#world
    for (const channel of this.channels) if (channel.isLost) this.channels.delete(channel)
    if (this.channels.size > 0) random.pick([...this.channels]).lose('it was lost')
  }

  #crashMember(member: SimulatedMember): void {
    const { oracle, random, time } = this.#world
    if (member.grid === undefined) return
    this.#pending.push(async () => {
      oracle.check()
      for (const channel of this.channels) if (channel.guest.peerId === member.peerId) channel.lose('it has crashed')
      member.crash()
    })
    time.timer(
      () => {
        this.#pending.push(async () => {
          if (member.grid === undefined) await time.settled(member.start())
        })
      },
      random.between(300, 6000),
    )
  }

  #crashGuest(): void {
    const { guests, oracle, random } = this.#world
    const guest = random.pick(guests)
    if (guest.grid === undefined) return
    this.#pending.push(async () => {
      guest.crash()
      oracle.ledger.forgot(guest.index)
    })
    this.#startLater(guest, random.between(100, 4000))
  }

  #changeGrants(): void {
    const { guests, random } = this.#world
    const { subject } = random.pick(guests)
    const full = this.fullGrants(subject)
    const kept = full.filter(() => random.chance(0.7))
    const some = kept.map((grant): Grant => {
      const may = random.chance(0.3) ? 'read' : grant.may
      return random.chance(0.4) ? narrowed({ ...grant, may }, random.pick(['1', '2'])) : { ...grant, may }
    })
    this.#grants.set(subject, random.chance(0.4) || some.length === 0 ? full : some)
    // Some get it at once, others when they ask the next time.
    for (const guest of guests)
      if (guest.subject === subject && random.chance(0.5)) guest.channel?.lose('it has other rights')
  }

  /** All that a subject has. It gets other ones. */
  #revoke(): void {
    const { guests, members, random } = this.#world
    const { subject } = random.pick(guests)
    const { revocations } = random.pick(members)
    const ids = this.#issued.get(subject) ?? []
    if (revocations === undefined) return
    for (const id of ids) revocations.revoke(id).catch(() => undefined)
  }
}

/** A grant that covers less. */
function narrowed(grant: Grant, digit: string): Grant {
  if ('doc' in grant) return { ...grant, doc: grant.doc + digit }
  return { ...grant, prefix: (grant.prefix ?? 'a') + digit }
}

function fullGrants(subject: string): readonly Grant[] {
  return [
    { map: 'todos', prefix: `${subject}/`, may: 'write' },
    { map: 'board', may: 'write' },
    { map: 'news', may: 'read' },
    { counter: 'visits', may: 'write' },
    { counter: 'votes', prefix: `${subject}/`, may: 'write' },
    { set: 'tags', may: 'write' },
    { set: 'labels', prefix: `${subject}/`, may: 'write' },
  ]
}
