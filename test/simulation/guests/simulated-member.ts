import { createHash } from 'node:crypto'
import { GuestFace } from '../../../packages/grid/src/guests/face/guest-face.ts'
import type { GuestFaceDeps } from '../../../packages/grid/src/guests/face/guest-face.ts'
import { MemberSignals } from '../../../packages/grid/src/guests/signals/member-signals.ts'
import type { GridSignals } from '../../../packages/grid/src/signals/grid-signals.ts'
import type { Partition } from '@gossipgrid/core'
import type { memoryNetworkHub } from '@gossipgrid/testing/memory-network'
import { Grid } from '../../../packages/grid/src/grid.ts'
import { passKeysOf } from '../../../packages/grid/src/guests/passes/pass-keys.ts'
import type { PassKey } from '../../../packages/grid/src/guests/passes/pass-keys.ts'
import { Passes } from '../../../packages/grid/src/guests/passes/passes.ts'
import { Revocations } from '../../../packages/grid/src/guests/passes/revocations.ts'
import type { PassOffice } from '../../../packages/grid/src/guests/passes/pass-office.ts'
import { mapPartition } from '../../../packages/grid/src/guests/serving/guest-reads.ts'
import { GuestService } from '../../../packages/grid/src/guests/serving/guest-service.ts'
import { GuestWrites } from '../../../packages/grid/src/guests/serving/guest-writes.ts'
import { SharedReads } from '../../../packages/grid/src/guests/serving/shared-reads.ts'
import { ServedMaps } from '../../../packages/grid/src/guests/partitioned/served-maps.ts'
import type { PartitionedMaps } from '../../../packages/grid/src/collections/partitioned-maps.ts'
import { SubjectRates } from '../../../packages/grid/src/guests/serving/subject-rates.ts'
import { TakenEdits } from '../../../packages/grid/src/guests/serving/taken-edits.ts'
import { SubjectTotals } from '../../../packages/grid/src/guests/serving/subject-totals.ts'
import { Teardown } from '../../../packages/grid/src/lifecycle/teardown.ts'
import type { Runtime } from '../../../packages/grid/src/runtime/runtime.ts'
import { LabDisk } from '../../../packages/testing/src/lab/lab-disk.ts'
import type { Random } from '../../../packages/testing/src/random.ts'
import { ORDERS } from './partitioned/orders.ts'
import type { OrderOptions } from './partitioned/orders.ts'
import type { VirtualTime } from './virtual-time.ts'
import { writtenText } from './written-values.ts'

export const GRID = 'shop'
const SECRET = 'q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA'
export const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

export type Hub = ReturnType<typeof memoryNetworkHub>

/** The member that takes writes: planted bugs need it. */
export const runtimeOf: WeakMap<GuestWrites, Runtime> = new WeakMap()

/** Without keys, since real ones take time that is not virtual. */
const AUTHORS = {
  of: async (subject: string, guest: string) => [
    createHash('sha256').update(`${subject} ${guest}`).digest('hex').slice(0, 16),
  ],
}

let keys: Promise<PassKey[]> | undefined
/** The keys of all members. To be called before virtual time begins. */
export function passKeys(): Promise<PassKey[]> {
  keys ??= passKeysOf(GRID, [SECRET])
  return keys
}

export interface MemberDeps {
  readonly index: number
  readonly count: number
  readonly hub: Hub
  readonly time: VirtualTime
  readonly random: Random
  readonly keys: readonly PassKey[]
  /** How far its clock is ahead. */
  readonly skewMs: number
  /** Of the partitioned map, if there is one. */
  readonly orders: OrderOptions | undefined
}

/** A member that serves guests, with a disk that outlives it. */
export class SimulatedMember {
  readonly index: number
  readonly skewMs: number
  /** What went wrong while it served guests, by its own account. */
  readonly errors: string[] = []
  readonly #deps: MemberDeps
  readonly #disk = new LabDisk()
  #grid: Grid | undefined
  #service: GuestService | undefined
  #revocations: Revocations | undefined

  constructor(deps: MemberDeps) {
    this.#deps = deps
    this.index = deps.index
    this.skewMs = deps.skewMs
  }

  get peerId(): string {
    return peerIdOf(this.index)
  }

  get wallMs(): number {
    return this.#deps.time.wallMs + this.skewMs
  }

  /** Undefined while it is down. */
  get grid(): Grid | undefined {
    return this.#grid
  }

  get service(): GuestService | undefined {
    return this.#service
  }

  get revocations(): Revocations | undefined {
    return this.#revocations
  }

  partition(map: string): Partition | undefined {
    return this.#grid && mapPartition(this.#grid.pump.peer.collections, map)
  }

  async start(): Promise<void> {
    const { count, hub, keys: passKeysHere } = this.#deps
    const others = Array.from({ length: count }, (_, i) => peerIdOf(i)).filter((peerId) => peerId !== this.peerId)
    const network = hub.network({ join: others.map((peerId) => `memory:${peerId}`), peerId: this.peerId })
    const openOffice = async ({ writes }: Runtime): Promise<PassOffice> => {
      const revocations = new Revocations(writes)
      this.#revocations = revocations
      const passes = new Passes(GRID, passKeysHere, () => writes.pump.wallMs)
      return { passes, revocations, revoke: (pass) => revocations.revoke(pass) }
    }
    this.#grid = await Grid.start(
      {
        ...{ name: GRID, storage: this.#disk.store(), network, logger: silent, software: 'simulated', storageLoss: '' },
        ...{ valueSizeMaxBytes: 4096, joining: true, role: 'storage', readWallMs: () => this.wallMs },
        guests: (...parts) => {
          const serve: GuestFaceDeps['serve'] = async (...served) => this.#serve(...served)
          return new GuestFace({ openOffice, serve }, ...parts)
        },
      },
      new Teardown(),
    )
    if (this.#deps.orders !== undefined) this.#grid.map(ORDERS, this.#deps.orders)
  }

  /** It is gone at once, with what was not durable. */
  crash(): void {
    const grid = this.#grid
    if (grid === undefined) return
    this.#deps.hub.crash(this.peerId)
    this.#disk.crash()
    grid.pump.halt()
    void this.#service?.close()
    this.#grid = undefined
    this.#service = undefined
    void grid.close().catch(() => undefined)
  }

  #serve(runtime: Runtime, office: PassOffice, signals: GridSignals, maps: PartitionedMaps): GuestService {
    const { writes } = runtime
    const totals = new SubjectTotals(() => runtime.peer.collections)
    const { random, time } = this.#deps
    const authorize = async ({ value }: { readonly value: unknown }): Promise<boolean> => {
      if (typeof value === 'number') return value < 9
      if (random.chance(0.2)) await new Promise<void>((resolve) => void time.timer(resolve, random.between(1, 300)))
      if (value instanceof Uint8Array) return !Buffer.from(value).includes('[bad ')
      return !writtenText(value).startsWith('bad')
    }
    const logger = { ...silent, error: (message: string) => void this.errors.push(message) }
    const edits = new TakenEdits({ pump: runtime, authors: AUTHORS, authorize, logger })
    const guestWrites = new GuestWrites({ writes, valueSizeMaxBytes: 4096, authorize, totals, edits, logger })
    runtimeOf.set(guestWrites, runtime)
    const served = new ServedMaps({
      ...{
        writes,
        valueSizeMaxBytes: 4096,
        isAuthorized: async (_, { value }) => authorize({ value }),
        counts: guestWrites.counts,
      },
      loadQueries: () => maps.loadQueries(),
      cursorKeys: office.passes.keys.map(({ cursorKey }) => cursorKey),
    })
    const service = new GuestService({
      ...{ ...office, pump: runtime, rates: new SubjectRates(), logger, guestsMax: 100 },
      shared: new SharedReads(),
      signals: new MemberSignals(signals, runtime),
      writes: guestWrites,
      maps: served,
      edits,
    })
    service.start({ peerId: this.peerId, addresses: () => [], stop: async () => undefined })
    this.#service = service
    return service
  }
}

function peerIdOf(index: number): string {
  return `member-${index}`
}
