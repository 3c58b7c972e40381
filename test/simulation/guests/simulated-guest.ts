import { GuestFace } from '../../../packages/grid/src/guests/face/guest-face.ts'
import type { GuestLinkFace, GuestLinkInput } from '../../../packages/grid/src/guests/face/guest-face.ts'
import type { GuestDialler } from '@gossipgrid/network/guest-dialler'
import { GridError } from '@gossipgrid/core'
import { Grid } from '../../../packages/grid/src/grid.ts'
import type { Grant } from '../../../packages/grid/src/guests/grants.ts'
import { GuestIdentity } from '../../../packages/grid/src/guests/link/guest-identity.ts'
import type { GuestOutbox } from '../../../packages/grid/src/guests/link/guest-outbox.ts'
import { drawSlot, guestLink } from '../../../packages/grid/src/guests/link/open-guest.ts'
import { SoloNetwork } from '../../../packages/grid/src/guests/link/solo-network.ts'
import { Teardown } from '../../../packages/grid/src/lifecycle/teardown.ts'
import { LabDisk } from '../../../packages/testing/src/lab/lab-disk.ts'
import type { Random } from '../../../packages/testing/src/random.ts'
import type { SimulatedChannel } from './simulated-channel.ts'
import { GRID, silent } from './simulated-member.ts'
import type { VirtualTime } from './virtual-time.ts'

export interface GuestDeps {
  readonly index: number
  readonly subject: string
  readonly members: number
  readonly time: VirtualTime
  readonly random: Random
  /** How far its clock is ahead. */
  readonly skewMs: number
  pass(guest: SimulatedGuest): Promise<string>
  /** Undefined where the member cannot be reached. */
  connect(guest: SimulatedGuest, member: number): SimulatedChannel | undefined
}

/** A guest, with a disk that outlives it. */
export class SimulatedGuest {
  readonly index: number
  readonly subject: string
  readonly #deps: GuestDeps
  readonly #disk = new LabDisk()
  #grid: Grid | undefined
  #outbox: GuestOutbox | undefined
  #identity: GuestIdentity | undefined
  #life = 0
  channel: SimulatedChannel | undefined

  constructor(deps: GuestDeps) {
    this.#deps = deps
    this.index = deps.index
    this.subject = deps.subject
  }

  get peerId(): string {
    return `guest-${this.index}`
  }

  /** Undefined while it is down. */
  get grid(): Grid | undefined {
    return this.#grid
  }

  get outbox(): GuestOutbox | undefined {
    return this.#outbox
  }

  /** What it believes to be allowed. */
  get grants(): readonly Grant[] | undefined {
    return this.#identity?.grants
  }

  async start(): Promise<void> {
    this.#life += 1
    const { members, random, skewMs, time } = this.#deps
    const join = random.shuffle(Array.from({ length: members }, (_, i) => `member:${i}`))
    const network = new SoloNetwork(this.#dialler())
    const input = { name: GRID, join, pass: () => this.#deps.pass(this), privateKey: undefined, slot: await drawSlot() }
    this.#grid = await Grid.start(
      {
        ...{ name: GRID, storage: this.#disk.store(), network, logger: silent, software: 'simulated', storageLoss: '' },
        ...{ valueSizeMaxBytes: 4096, joining: true, role: 'light', readWallMs: () => time.wallMs + skewMs },
        guests: (...parts) => {
          const link = (hooks: GuestLinkInput): GuestLinkFace => {
            const made = guestLink(input, network, silent, hooks)
            this.#outbox = made.overlay as GuestOutbox
            return made
          }
          return new GuestFace({ link }, ...parts)
        },
      },
      new Teardown(),
    )
    // A second view of what the guest has stored about itself.
    const { pump } = this.#grid
    this.#identity = new GuestIdentity(pump)
  }

  /** It knows by now what is stored. */
  look(): void {
    if (this.#grid !== undefined) this.#identity = new GuestIdentity(this.#grid.pump)
  }

  crash(): void {
    const grid = this.#grid
    if (grid === undefined) return
    this.#life += 1
    this.channel?.lose('the guest has crashed')
    this.#disk.crash()
    grid.pump.halt()
    this.#grid = undefined
    this.#outbox = undefined
    this.#identity = undefined
    void grid.close().catch(() => undefined)
  }

  #dialler(): GuestDialler {
    const life = this.#life
    return {
      peerId: this.peerId,
      dial: async (address) => {
        await new Promise<void>((resolve) => void this.#deps.time.timer(resolve, 5))
        const member = Number(address.slice('member:'.length))
        const channel = life === this.#life ? this.#deps.connect(this, member) : undefined
        if (channel === undefined) throw new GridError('NETWORK_DIAL_FAILED', `${address} does not answer`)
        this.channel = channel
        return channel.guest
      },
      exportPrivateKey: () => new Uint8Array(0),
      traffic: () => ({ sentBytes: 0, receivedBytes: 0 }),
      stop: async () => undefined,
    }
  }
}
