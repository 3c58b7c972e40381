import { GUESTS, entryKeyOf, hashHex } from '@gossipgrid/core'
import type { Partition } from '@gossipgrid/core'
import { memoryNetworkHub } from '@gossipgrid/testing/memory-network'
import { covers } from '../../../packages/grid/src/guests/covering.ts'
import type { Grant } from '../../../packages/grid/src/guests/grants.ts'
import { grantKeyOf, guestNameOf } from '../../../packages/grid/src/guests/map-kinds.ts'
import { Passes } from '../../../packages/grid/src/guests/passes/passes.ts'
import { HostileGuest } from './hostile/hostile-guest.ts'
import { OwnQueries, loadQueries } from './queries/own-queries.ts'
import { Random } from '../../../packages/testing/src/random.ts'
import { TraceHash } from '../../../packages/testing/src/trace-hash.ts'
import { DocumentWorkload, loadDocuments } from './documents/document-workload.ts'
import { GuestFaults } from './guest-faults.ts'
import { GuestOracle, MAPS, rowsOf } from './guest-oracle.ts'
import { SLOTTED, liveRows, slotText } from './guest-slot-oracle.ts'
import { GuestSlotWorkload } from './guest-slot-workload.ts'
import { GuestWorkload } from './guest-workload.ts'
import { OrderWorkload } from './partitioned/order-workload.ts'
import { loadOrders } from './partitioned/orders.ts'
import type { OrderOptions } from './partitioned/orders.ts'
import { SimulatedChannel } from './simulated-channel.ts'
import { SimulatedGuest } from './simulated-guest.ts'
import { GRID, SimulatedMember, passKeys } from './simulated-member.ts'
import type { Hub } from './simulated-member.ts'
import { VirtualTime } from './virtual-time.ts'

export interface GuestSimulationOptions {
  readonly seed: number
  /** Simulated seconds with faults, before everything is healed; 60 by default. */
  readonly seconds?: number
  /** They edit documents too. */
  readonly documents?: boolean
  /** They use a partitioned map too. */
  readonly partitioned?: boolean
  /** One more guest does what no honest one does. */
  readonly hostile?: boolean
  /** Weeks pass in between. In some seeds if left out. */
  readonly weeks?: boolean
}

export interface GuestSimulationResult {
  readonly seed: number
  /** A hash over everything that was said. */
  readonly hash: string
  /** Writes of guests that gave a key a value, and what became of them. */
  readonly writes: number
  readonly taken: number
  readonly refused: number
  /** Answers to edits of documents. */
  readonly edits: number
  readonly refusedEdits: number
  /** Queries of guests that were answered. */
  readonly queries: number
  /** Replies of members about partitioned maps. */
  readonly replies: number
  /** What a hostile guest has tried. */
  readonly attempts: number
  /** Messages between guests and members. */
  readonly messages: number
  readonly violations: readonly string[]
}

const CHECK_EVERY_MS = 100
const SETTLE_MAX_MS = 120_000
const DAY_MS = 86_400_000
const SUBJECTS = ['ada', 'ben', 'cy'] as const

/** Runs guests and members that serve them, with the code that ships. The same seed gives the same run. */
export async function simulateGuests(options: GuestSimulationOptions): Promise<GuestSimulationResult> {
  const keys = await passKeys()
  if (options.documents === true) await loadDocuments()
  if (options.partitioned === true) await loadOrders()
  await loadQueries()
  const random = new Random(options.seed).fork('guests')
  const time = new VirtualTime(random.fork('platform'))
  const restore = time.install()
  try {
    return await new GuestSimulation(options, random, time, keys).run()
  } finally {
    restore()
  }
}

class GuestSimulation {
  readonly #options: GuestSimulationOptions
  readonly #random: Random
  readonly #time: VirtualTime
  readonly #hub: Hub
  readonly #members: SimulatedMember[] = []
  readonly #guests: SimulatedGuest[] = []
  readonly #oracle: GuestOracle
  readonly #faults: GuestFaults
  readonly #passes: Passes
  readonly #trace = new TraceHash()
  readonly #violations: string[] = []
  #passNumber = 0
  /** The passes that guests have got last. */
  readonly #issued = new Map<SimulatedGuest, { readonly atMs: number; readonly expiresInMs: number }>()

  constructor(
    options: GuestSimulationOptions,
    random: Random,
    time: VirtualTime,
    keys: Awaited<ReturnType<typeof passKeys>>,
  ) {
    this.#options = options
    this.#random = random
    this.#time = time
    this.#passes = new Passes(GRID, keys, () => time.wallMs)
    const traits = random.fork('traits')
    this.#hub = memoryNetworkHub({ latencyMs: traits.between(1, 30) })
    const count = traits.between(2, 3)
    const { documents = false, partitioned = false } = options
    const owners = random.fork('owners').pick([1, 2, 2, 3])
    const orders: OrderOptions | undefined = partitioned ? { mode: 'partitioned', partitions: 16, owners } : undefined
    for (let index = 0; index < count; index++) {
      const skewMs = traits.chance(0.5) ? traits.between(-3000, 3000) : 0
      const deps = { index, count, hub: this.#hub, time, keys, skewMs, orders }
      this.#members.push(new SimulatedMember({ ...deps, random: random.fork(`member ${index}`) }))
    }
    for (let index = 0; index < 4; index++) {
      const skewMs = traits.pick([0, 0, -3_600_000, 5000, 3_600_000, DAY_MS])
      const guest = new SimulatedGuest({
        ...{ index, subject: SUBJECTS[index % SUBJECTS.length]!, members: count, time, skewMs },
        random: random.fork(`guest ${index}`),
        pass: (each) => this.#pass(each),
        connect: (each, member) => this.#connect(each, this.#members[member]!),
      })
      this.#guests.push(guest)
    }
    this.#oracle = new GuestOracle(this.#members, this.#guests, (violation) => this.#violated(violation))
    const world = { time, hub: this.#hub, members: this.#members, guests: this.#guests, oracle: this.#oracle }
    this.#faults = new GuestFaults({ ...world, random: random.fork('faults') }, { documents, partitioned })
    this.#workload = new GuestWorkload({ ...world, random: random.fork('writes') })
    this.#slotWorkload = new GuestSlotWorkload({ ...world, random: random.fork('slots') })
    this.#queries = new OwnQueries({ ...world, random: random.fork('queries') }, (violation) =>
      this.#violated(violation),
    )
    if (orders !== undefined) {
      const ordering = { ...world, random: random.fork('orders') }
      this.#orders = new OrderWorkload(ordering, this.#oracle.orders, orders)
    }
    if (options.hostile === true)
      this.#hostile = new HostileGuest({
        ...{ time, orders, members: this.#members, random: random.fork('hostile'), oracle: this.#oracle.orders },
        grants: this.#faults.fullGrants('eve'),
        pass: (subject, grants) => this.#passes.issue({ subject, expiresInMs: 3_600_000, grants, id: 'hostile' }),
        violated: (violation) => this.#violated(violation),
      })
    if (documents) this.#documents = new DocumentWorkload({ ...world, random: random.fork('documents') })
  }

  readonly #workload: GuestWorkload
  readonly #slotWorkload: GuestSlotWorkload
  readonly #queries: OwnQueries
  readonly #documents: DocumentWorkload | undefined
  readonly #orders: OrderWorkload | undefined
  readonly #hostile: HostileGuest | undefined

  async run(): Promise<GuestSimulationResult> {
    try {
      for (const member of this.#members) await this.#time.settled(member.start())
      for (const guest of this.#guests) await this.#time.settled(guest.start())
      await this.#trouble()
      if (this.#violations.length === 0) await this.#settle()
    } catch (error) {
      this.#violated(`threw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    }
    await this.#end()
    const { documents, ledger, messages, orders } = this.#oracle
    return {
      seed: this.#options.seed,
      hash: this.#trace.hex(),
      writes: ledger.size,
      taken: ledger.taken,
      refused: ledger.refused,
      edits: documents.taken,
      refusedEdits: documents.refused,
      queries: this.#queries.answered,
      replies: orders.replies,
      attempts: this.#hostile?.attempts ?? 0,
      messages,
      violations: this.#violations,
    }
  }

  /** Seconds with faults. Where weeks pass, they do so in between. */
  async #trouble(): Promise<void> {
    const lengthMs = (this.#options.seconds ?? 60) * 1000
    const weeks = this.#options.weeks ?? this.#random.fork('weeks').chance(0.3)
    const parts = weeks ? 4 : 1
    this.#workload.start()
    this.#slotWorkload.start()
    this.#documents?.start()
    this.#queries.start()
    this.#orders?.start()
    this.#hostile?.start()
    this.#faults.start()
    let comeBack = (): void => undefined
    for (let part = 1; part <= parts; part++) {
      if (part === parts) comeBack()
      await this.#runUntil(this.#time.queue.nowMs + lengthMs / parts)
      if (part === parts || this.#violations.length > 0) return
      if (part === 1) comeBack = await this.#faults.sendAway()
      this.#time.queue.skip(this.#time.queue.nowMs + this.#random.between(8, 20) * DAY_MS)
    }
  }

  async #runUntil(timeMs: number): Promise<void> {
    const { queue } = this.#time
    while (queue.nowMs < timeMs && this.#violations.length === 0) {
      const pauseMs = Math.min(timeMs, queue.nowMs + CHECK_EVERY_MS)
      await this.#time.runUntil(pauseMs, () => this.#violations.length > 0)
      this.#oracle.check()
      this.#queries.check()
      await this.#faults.perform()
    }
  }

  async #settle(): Promise<void> {
    this.#workload.end()
    this.#slotWorkload.end()
    this.#documents?.end()
    this.#queries.end()
    this.#orders?.end()
    this.#hostile?.end()
    await this.#faults.heal()
    const endMs = this.#time.queue.nowMs + SETTLE_MAX_MS
    for (;;) {
      await this.#runUntil(this.#time.queue.nowMs + 1000)
      const problem = this.#unsettled() ?? (await this.#othersUnsettled())
      if (problem === undefined || this.#violations.length > 0) return
      if (this.#time.queue.nowMs > endMs) {
        this.#violated(problem)
        return
      }
    }
  }

  /** What is not yet as it must be in the end. */
  #unsettled(): string | undefined {
    const [first, ...others] = this.#members.map((member) => this.#stateOf(member))
    for (const [i, other] of others.entries()) if (other !== first) return `members 0 and ${i + 1} differ`
    for (const guest of this.#guests) {
      const status = guest.grid!.status().guest!
      if (status.waitingWrites > 0)
        return `${guest.peerId} has ${status.waitingWrites} writes that wait: ${status.problem}`
      if (!status.isCaughtUp) return `${guest.peerId} has not caught up: ${status.problem}`
      const problem = this.#differs(guest)
      if (problem !== undefined) return problem
    }
    for (const write of this.#oracle.ledger.all) {
      if (!write.isTaken && !write.isRefused && !write.isReplaced) return `'${write.value}' was never answered`
      if (write.isTaken && this.#isLost(write)) return `'${write.value}' was taken, and is lost`
    }
    return this.#oracle.slots.lost(this.#members[0]!)
  }

  async #othersUnsettled(): Promise<string | undefined> {
    const grantsOf = (subject: string): readonly Grant[] => this.#faults.grantsOf(subject)
    const problem = this.#documents && (await this.#time.settled(this.#oracle.documents.unsettled(grantsOf)))
    return problem ?? (this.#orders && (await this.#time.settled(this.#orders.unsettled(grantsOf))))
  }

  #stateOf(member: SimulatedMember): string {
    const { collections } = member.grid!.pump.peer
    const partitions = [...[...MAPS, ...SLOTTED].map((map) => member.partition(map)), collections.internal(GUESTS)]
    return partitions.map((each) => (each === undefined ? '' : hashHex(each.replica.fingerprint))).join()
  }

  /** A guest has what members have that its pass covers, and nothing else. */
  #differs(guest: SimulatedGuest): string | undefined {
    const grants = this.#faults.grantsOf(guest.subject)
    const [member] = this.#members
    const here = [...guest.grid!.pump.peer.collections].flatMap(({ partitions }) => [...partitions])
    for (const map of MAPS) {
      const there = member!.partition(map)
      const own = here.find(({ name }) => guestNameOf(name) === map)
      const texts = (partition: typeof own): string[] =>
        partition === undefined ? [] : rowsOf(partition).map(({ key, value }) => `${key}=${value}`)
      const isRead = (text: string): boolean => mayRead(grants, map, text)
      const [expected, found] = [texts(there).filter(isRead).toSorted().join(), texts(own).toSorted().join()]
      if (expected !== found) return `${guest.peerId} has ${found} in '${map}' instead of ${expected}`
    }
    for (const map of SLOTTED) {
      const own = here.find(({ name }) => guestNameOf(name) === map)
      const [there, found] = [member!.partition(map), own].map((partition) => slotRows(partition, grants, map))
      if (there !== found) return `${guest.peerId} has ${found} in '${map}' instead of ${there}`
    }
    return undefined
  }

  #isLost({ hlc, key, map, value }: { hlc: number | undefined; key: string; map: string; value: string }): boolean {
    const partition = this.#members[0]!.partition(map)!
    const { table } = partition.replica
    const slot = table.slotOf(key)
    // What was deleted later may be purged.
    if (slot === undefined) return !this.#workload.isDeleted(map, key)
    if (hlc === undefined) return false
    if (table.hlc(slot) > hlc) return false
    return table.hlc(slot) < hlc || rowsOf(partition).find((row) => row.rowKey === key)?.value !== value
  }

  #connect(guest: SimulatedGuest, member: SimulatedMember): SimulatedChannel | undefined {
    const { service } = member
    if (service === undefined || guest.grid === undefined || !this.#faults.reaches(guest, member)) return undefined
    const ids = { guest: guest.peerId, member: member.peerId }
    const witness = this.#oracle.witness(guest, member)
    const channel = new SimulatedChannel(this.#time, ids, this.#random.between(1, 40), {
      sent: (from, bytes) => {
        this.#trace.number(this.#time.queue.nowMs)
        this.#trace.bytes(bytes)
        witness.sent(from, bytes)
      },
      arrived: (from, bytes) => witness.arrived(from, bytes),
    })
    this.#faults.channels.add(channel)
    this.#time.timer(() => service.onConnection(channel.member), 1)
    return channel
  }

  async #pass(guest: SimulatedGuest): Promise<string> {
    this.#checkRenewal(guest)
    const expiresInMs = this.#faults.passLifeMs()
    this.#issued.set(guest, { atMs: this.#time.queue.nowMs, expiresInMs })
    const grants: readonly Grant[] = this.#faults.grantsOf(guest.subject)
    const id = `pass-${++this.#passNumber}`
    this.#faults.issued(guest.subject, id)
    return this.#passes.issue({ subject: guest.subject, expiresInMs, grants, id })
  }

  /** While it is connected, a guest asks for no other pass long before its own ends. Clocks of members differ by some seconds. */
  #checkRenewal(guest: SimulatedGuest): void {
    const issued = this.#issued.get(guest)
    if (issued === undefined || guest.channel?.isLost !== false) return
    const passedMs = this.#time.queue.nowMs - issued.atMs
    if (issued.expiresInMs >= 15_000 && passedMs < 0.4 * issued.expiresInMs)
      this.#violated(`${guest.peerId} asks for another pass after ${passedMs} of ${issued.expiresInMs} ms`)
  }

  async #end(): Promise<void> {
    for (const each of [...this.#guests, ...this.#members]) each.crash()
    await this.#time.runUntil(this.#time.queue.nowMs + 10_000)
  }

  #violated(violation: string): void {
    if (this.#violations.length < 5)
      this.#violations.push(`${(this.#time.queue.nowMs / 1000).toFixed(1)} s: ${violation}`)
  }
}

/** The rows of a set or counter that grants cover, as text. */
function slotRows(partition: Partition | undefined, grants: readonly Grant[], map: string): string {
  if (partition === undefined) return ''
  const { kind } = partition.name
  const isRead = ({ rowKey }: { readonly rowKey: string }): boolean =>
    covers(grants, 'read', map, grantKeyOf(kind, entryKeyOf(kind, rowKey)))
  return liveRows(partition).filter(isRead).map(slotText).toSorted().join()
}

function mayRead(grants: readonly Grant[], map: string, text: string): boolean {
  return grants.some((grant) => 'map' in grant && grant.map === map && text.startsWith(grant.prefix ?? ''))
}
