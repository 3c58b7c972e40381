import { GUESTS, encodeValue, expiring, hlcFromWall } from '@gossipgrid/core'
import { memoryNetworkHub } from '@gossipgrid/testing/memory-network'
import { encodeGuestMessage, decodeMemberMessage } from '../../../packages/grid/src/guests/messages.ts'
import type { GuestMessage, GuestWrite } from '../../../packages/grid/src/guests/messages.ts'
import { readPass } from '../../../packages/grid/src/guests/pass-text.ts'
import { Passes } from '../../../packages/grid/src/guests/passes/passes.ts'
import { GUESTS_OF_SUBJECT_MAX } from '../../../packages/grid/src/guests/guest-limits.ts'
import { mutate } from '../../../packages/testing/src/fuzz-mutations.ts'
import { Random } from '../../../packages/testing/src/random.ts'
import { rowsOf } from './guest-oracle.ts'
import { SimulatedChannel } from './simulated-channel.ts'
import { GRID, SimulatedMember, passKeys } from './simulated-member.ts'
import { VirtualTime } from './virtual-time.ts'

export interface GuestFuzzResult {
  readonly inputs: number
  /** Connections that the member has ended. */
  readonly ended: number
  readonly writesTaken: number
  readonly writesRefused: number
  /** What was wrong; '' when nothing was. */
  readonly finding: string
}

const OWN = 'ada/'
/** Keys that are those of the guest, or look like them. */
const KEYS = [
  'ada/1',
  'ada/2',
  'ada',
  'Ada/1',
  'ben/1',
  'ada\u2215' + '1',
  'a\u0301da/1',
  'ádа/1',
  '',
  'ada/\0',
  'x'.repeat(2000),
]
const NAMES = ['todos', 'Todos', 'salaries', 'guests', 'grid', 'documents', 'never opened', '__proto__', 'todos\0', '']

/** Sends a member what hostile guests may send: real messages that are damaged, and sound ones with hostile contents. A seed repeats a run. */
export async function fuzzGuests(options: {
  readonly seed: number
  readonly inputs: number
}): Promise<GuestFuzzResult> {
  const keys = await passKeys()
  const random = new Random(options.seed).fork('hostile guests')
  const time = new VirtualTime(random.fork('platform'))
  const restore = time.install()
  try {
    return await new GuestFuzz(random, time, keys).run(options.inputs)
  } finally {
    restore()
  }
}

class GuestFuzz {
  readonly #random: Random
  readonly #time: VirtualTime
  readonly #passes: Passes
  readonly #member: SimulatedMember
  readonly #shown: string[] = []
  readonly #cursors: Uint8Array[] = [new Uint8Array(0)]
  readonly #sound: Uint8Array[] = []
  #inputs = 0
  #ended = 0
  #number = 1
  #finding = ''

  constructor(random: Random, time: VirtualTime, keys: Awaited<ReturnType<typeof passKeys>>) {
    this.#random = random
    this.#time = time
    this.#passes = new Passes(GRID, keys, () => time.wallMs)
    const deps = {
      index: 0,
      count: 1,
      hub: memoryNetworkHub(),
      time,
      keys,
      skewMs: 0,
      orders: undefined,
      random: random.fork('member'),
    }
    this.#member = new SimulatedMember(deps)
  }

  async run(inputs: number): Promise<GuestFuzzResult> {
    const { member, time } = { member: this.#member, time: this.#time }
    await time.settled(member.start())
    const grid = member.grid!
    for (const [map, key] of [
      ['todos', 'ada/1'],
      ['todos', 'ben/1'],
      ['salaries', 'ben'],
    ] as const)
      await time.settled(grid.map(map).set(key, key.startsWith(OWN) ? 'own' : 'secret of others'))
    await this.#issue()
    const before = this.#others()
    while (this.#inputs < inputs && this.#finding === '') {
      await this.#connection()
      if (this.#others() !== before) this.#finding ||= `what is of others has changed:\n${this.#others()}`
      if (member.errors.length > 0) this.#finding ||= member.errors[0]!
      const rows = [...grid.pump.peer.collections.internal(GUESTS).replica.table.slots()].length
      if (rows > GUESTS_OF_SUBJECT_MAX) this.#finding ||= `${rows} rows of one subject`
    }
    const { writesRefused, writesTaken } = member.service!.status()
    if (this.#finding === '' && !(await this.#isServed())) this.#finding = 'an honest guest is not served any more'
    member.crash()
    await time.runUntil(time.queue.nowMs + 10_000)
    return { inputs: this.#inputs, ended: this.#ended, writesTaken, writesRefused, finding: this.#finding }
  }

  /** All that no guest may write. */
  #others(): string {
    const maps = this.#member.grid!.collections().map(({ name }) => name)
    const rows = maps.flatMap((map) =>
      rowsOf(this.#member.partition(map)!).map((row) => `${map} ${row.key} ${row.value}`),
    )
    return [...maps, ...rows.filter((text) => !text.startsWith(`todos ${OWN}`))].toSorted().join('\n')
  }

  async #issue(): Promise<void> {
    const grants = [{ map: 'todos', prefix: OWN, may: 'write' } as const]
    const pass = await this.#passes.issue({ subject: 'ada', expiresInMs: 31 * 86_400_000, grants })
    const [header, payload, signature] = pass.split('.') as [string, string, string]
    const none = Buffer.from(
      JSON.stringify({ ...JSON.parse(Buffer.from(header, 'base64url').toString()), alg: 'none' }),
    )
    const wide = Buffer.from(
      JSON.stringify({
        ...JSON.parse(Buffer.from(payload, 'base64url').toString()),
        grants: [{ map: 'salaries', may: 'write' }],
      }),
    )
    this.#shown.push(
      pass,
      pass,
      pass,
      `${none.toString('base64url')}.${wide.toString('base64url')}.`,
      `${header}.${wide.toString('base64url')}.${signature}`,
      `${header}.${payload}.`,
      'pass',
    )
  }

  /** One connection, on which some things are said. */
  async #connection(): Promise<void> {
    const random = this.#random
    const { channel, received } = this.#dial(`guest-${random.below(5)}`)
    const pass = this.#shown[0]!
    if (random.chance(0.9)) await this.#say(channel, this.#hello(pass))
    if (random.chance(0.9)) await this.#say(channel, this.#enter(pass))
    for (let left = random.between(1, 12); left > 0 && !channel.isLost; left--) {
      const sound = random.pick([
        () => this.#writes(),
        () => this.#writes(),
        () => this.#enter(random.pick(this.#shown)),
        () => encodeGuestMessage({ type: 'pass', pass: random.pick(this.#shown) }),
        () => this.#hello(pass),
        () => random.pick(this.#sound.length > 0 ? this.#sound : [this.#hello(pass)]),
      ])()
      this.#sound.push(sound)
      if (this.#sound.length > 200) this.#sound.shift()
      const bytes = random.chance(0.5) ? mutate(sound, random, () => random.pick(this.#sound)) : sound
      await this.#say(channel, bytes)
    }
    await this.#time.runUntil(this.#time.queue.nowMs + random.pick([5, 500, 5000]))
    if (channel.isLost) this.#ended += 1
    channel.lose('it goes')
    for (const bytes of received) {
      if (Buffer.from(bytes).toString('latin1').includes('secret of others'))
        this.#finding ||= 'a guest was sent what is of others'
      const message = decodeMemberMessage(bytes)
      if (message.type === 'rows' && message.cursor !== undefined) this.#cursors.push(message.cursor)
    }
    this.#cursors.splice(0, this.#cursors.length - 20)
  }

  #dial(peerId: string): { readonly channel: SimulatedChannel; readonly received: Uint8Array[] } {
    const received: Uint8Array[] = []
    const ids = { guest: peerId, member: this.#member.peerId }
    const channel = new SimulatedChannel(this.#time, ids, 1, { sent: () => undefined, arrived: () => undefined })
    channel.guest.listen({ message: (bytes) => received.push(bytes), ended: () => undefined })
    this.#member.service!.onConnection(channel.member)
    return { channel, received }
  }

  async #say(channel: SimulatedChannel, bytes: Uint8Array): Promise<void> {
    this.#inputs += 1
    channel.carry('guest', bytes)
    await this.#time.runUntil(this.#time.queue.nowMs + this.#random.pick([0, 3, 20]))
  }

  #hello(pass: string): Uint8Array {
    return encodeGuestMessage({ type: 'hello', key: readPass(pass).publicKey, nonce: new Uint8Array(32) })
  }

  #enter(pass: string): Uint8Array {
    const random = this.#random
    const guest = random.below(1_000_000).toString(16).padStart(32, '0')
    const cursors = new Map([[random.pick(NAMES), random.pick(this.#cursors)]])
    return any({ type: 'enter', pass, guest, cursors: random.chance(0.5) ? new Map() : cursors })
  }

  #writes(): Uint8Array {
    const random = this.#random
    const wallMs = this.#time.wallMs
    const isSound = random.chance(0.5)
    const writes = Array.from({ length: random.mostlySmall(0, 256) }, (): GuestWrite => {
      this.#number += random.pick([1, 1, 1, 1, 1, 0, -1])
      const value = encodeValue(random.pick(['bad', 'good', { a: 1 }, null, 'x'.repeat(5000)]), 10_000)
      const sound = { number: this.#number, hlc: hlcFromWall(wallMs), again: random.chance(0.5), bytes: value }
      const key = `${OWN}${random.below(5)}`
      const write = { ...sound, map: 'todos', kind: 1, rowKey: key }
      if (isSound || random.chance(0.7)) return write
      return { ...write, ...random.pick(this.#changes(wallMs, value)) }
    })
    return any({ type: 'writes', writes })
  }

  /** What is wrong with a write. */
  #changes(wallMs: number, value: Uint8Array): Partial<GuestWrite>[] {
    const random = this.#random
    return [
      { rowKey: random.pick(KEYS) + random.pick(['', '', '', '\0', '\0a', '\0\0']) },
      { map: random.pick(NAMES) },
      { map: random.pick(NAMES), rowKey: 'any', number: random.pick([0, 1, 2]) },
      { kind: random.pick([4, 2, 0, 99]) },
      { hlc: random.pick([0, Number.MAX_SAFE_INTEGER, hlcFromWall(wallMs + random.pick([-1e9, 1e4, 1e6, 1e10]))]) },
      { number: random.pick([0, Number.MAX_SAFE_INTEGER]) },
      { bytes: expiring(value, wallMs + random.pick([1, 1e6, 1e12])) },
      { bytes: undefined },
    ]
  }

  async #isServed(): Promise<boolean> {
    // What they have asked for has been slowed down.
    await this.#time.runUntil(this.#time.queue.nowMs + 3_600_000)
    const { channel, received } = this.#dial('honest')
    channel.carry('guest', this.#hello(this.#shown[0]!))
    channel.carry(
      'guest',
      encodeGuestMessage({ type: 'enter', pass: this.#shown[0]!, guest: 'f'.repeat(32), cursors: new Map() }),
    )
    await this.#time.runUntil(this.#time.queue.nowMs + 1000)
    return received.some((bytes) => decodeMemberMessage(bytes).type === 'caught-up')
  }
}

/** As a hostile guest encodes it: nothing is checked. */
function any(message: GuestMessage): Uint8Array {
  return encodeGuestMessage(message)
}
