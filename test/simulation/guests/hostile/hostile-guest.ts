import { compositeKey, encodeShare, encodeValue, hlcFromWall, kindCode, splitKey } from '@gossipgrid/core'
import { DOCUMENT_ROWS, counterName, covers, setName } from '../../../../packages/grid/src/guests/covering.ts'
import type { Grant } from '../../../../packages/grid/src/guests/grants.ts'
import { DOCUMENT_KIND, grantKeyOf } from '../../../../packages/grid/src/guests/map-kinds.ts'
import { decodeMemberMessage, encodeGuestMessage } from '../../../../packages/grid/src/guests/messages.ts'
import type { GuestMessage, GuestWrite, MemberMessage } from '../../../../packages/grid/src/guests/messages.ts'
import { decodeMapRequest, encodeMapRequest } from '../../../../packages/grid/src/guests/partitioned/map-request.ts'
import type { MapQuestion } from '../../../../packages/grid/src/guests/partitioned/map-request.ts'
import { readPass } from '../../../../packages/grid/src/guests/pass-text.ts'
import { mainOf } from '../../../../packages/grid/src/keyed/key-elements.ts'
import type { Random } from '../../../../packages/testing/src/random.ts'
import { FORGED } from '../documents/document-oracle.ts'
import { FORGED_COUNT } from '../guest-slot-oracle.ts'
import type { OrderOracle } from '../partitioned/order-oracle.ts'
import { ORDERS } from '../partitioned/orders.ts'
import type { OrderOptions } from '../partitioned/orders.ts'
import { SimulatedChannel } from '../simulated-channel.ts'
import type { SimulatedMember } from '../simulated-member.ts'
import type { VirtualTime } from '../virtual-time.ts'

const SUBJECT = 'eve'
const PEER_ID = 'hostile'
const OTHERS = ['ada', 'ben', 'cy'] as const
const SETS_KIND = kindCode({ kind: 'sets' })
const MAP_KIND = kindCode({ kind: 'map' })

export interface HostileDeps {
  readonly time: VirtualTime
  readonly random: Random
  readonly members: readonly SimulatedMember[]
  /** What its own pass covers. */
  readonly grants: readonly Grant[]
  readonly orders: OrderOptions | undefined
  readonly oracle: OrderOracle
  /** Issues a pass. */
  pass(subject: string, grants: readonly Grant[]): Promise<string>
  violated(violation: string): void
}

interface SeenRow {
  readonly map: string
  readonly kind: number
  readonly rowKey: string
  readonly bytes: Uint8Array
}

type RowsMessage = Extract<MemberMessage, { type: 'rows' }>

/**
 * A guest with a sound pass and a program of its own. It uses what it has seen to count in the slots of others, to remove their elements, to
 * edit documents in their names, and to read and write what its pass does not cover. Members take none of it.
 */
export class HostileGuest {
  readonly #deps: HostileDeps
  readonly #seen = new Map<string, SeenRow>()
  /** Its writes that were not answered, by number. */
  readonly #sent = new Map<number, GuestWrite>()
  readonly #asked = new Map<number, Uint8Array>()
  #channel: SimulatedChannel | undefined
  #author = ''
  #number = 0
  #isOver = false
  /** What it has tried. */
  attempts = 0

  constructor(deps: HostileDeps) {
    this.#deps = deps
  }

  start(): void {
    this.#again(() => this.#step())
  }

  end(): void {
    this.#isOver = true
    this.#channel?.lose('it goes')
  }

  #again(act: () => Promise<void>): void {
    const { random, time } = this.#deps
    time.timer(
      () => {
        if (this.#isOver) return
        void act().finally(() => this.#again(act))
      },
      random.between(50, 400),
    )
  }

  async #step(): Promise<void> {
    const { members, random } = this.#deps
    const member = random.pick(members)
    const attempt = random.below(7)
    if (this.#channel === undefined || this.#channel.isLost || random.chance(0.03)) {
      this.#channel?.lose('it goes on elsewhere')
      return this.#connect(member)
    }
    const write = [
      () => this.#countInSlot(),
      () => this.#removeOfOthers(),
      () => this.#editAsOthers(),
      () => this.#editAsOthers(),
      () => this.#deleteOutside(),
      () => this.#ask(),
      () => this.#ask(),
    ][attempt]!()
    if (write === undefined) return
    this.attempts += 1
    this.#sent.set(write.number, write)
    this.#say({ type: 'writes', writes: [write] })
  }

  async #connect(member: SimulatedMember): Promise<void> {
    const { grants, random, time } = this.#deps
    const { service } = member
    if (service === undefined) return
    this.#sent.clear()
    this.#asked.clear()
    const pass = await this.#deps.pass(SUBJECT, grants)
    const ids = { guest: PEER_ID, member: member.peerId }
    const channel = new SimulatedChannel(time, ids, random.between(1, 40), {
      sent: (from, bytes) => {
        if (from === 'member') this.#onMessage(decodeMemberMessage(bytes))
      },
      arrived: () => undefined,
    })
    channel.guest.listen({ message: () => undefined, ended: () => undefined })
    this.#channel = channel
    service.onConnection(channel.member)
    this.#say({ type: 'hello', key: readPass(pass).publicKey, nonce: new Uint8Array(32) })
    this.#say({ type: 'enter', pass, guest: 'e'.repeat(32), cursors: new Map() })
  }

  #say(message: GuestMessage): void {
    this.#channel!.carry('guest', encodeGuestMessage(message))
  }

  #onMessage(message: MemberMessage): void {
    if (message.type === 'welcome') this.#author = message.author ?? ''
    else if (message.type === 'rows') this.#onRows(message)
    else if (message.type === 'answers')
      for (const { code, number } of message.answers) this.#onAnswer(code, this.#sent.get(number))
    else if (message.type === 'reply') {
      const { code, number, reply } = message
      const request = decodeMapRequest(this.#asked.get(number)!)
      if (code === '') this.#deps.oracle.checkReply(PEER_ID, request, reply!, this.#deps.grants)
    }
  }

  #onRows({ kind, map, rows }: RowsMessage): void {
    const { grants, violated } = this.#deps
    for (const { bytes, rowKey } of rows) {
      if (!covers(grants, 'read', map, grantKeyOf(kind, rowKey))) violated(`${PEER_ID} is sent '${rowKey}' of '${map}'`)
      if (bytes !== undefined) this.#seen.set(`${map} ${rowKey}`, { map, kind, rowKey, bytes })
    }
  }

  #onAnswer(code: string, write: GuestWrite | undefined): void {
    if (code !== '' || write === undefined) return
    this.#deps.violated(`a member takes a forged write of ${write.map}: ${write.rowKey.replaceAll('\0', ' ')}`)
  }

  #countInSlot(): GuestWrite | undefined {
    const row = this.#pick(({ kind, map }) => map === counterName('visits') && kind !== MAP_KIND)
    if (row === undefined) return undefined
    const { random } = this.#deps
    const proof = random.chance(0.8) ? crypto.getRandomValues(new Uint8Array(16)) : undefined
    return { ...this.#write(row, encodeShare({ up: FORGED_COUNT + this.#number, down: 0 })), proof }
  }

  /** It has seen at which slots others add, and guesses what they add to sets that it does not see. */
  #removeOfOthers(): GuestWrite | undefined {
    const row = this.#pick(({ map }) => map === setName('tags'))
    if (row === undefined) return undefined
    const { random } = this.#deps
    const { sub } = splitKey(row.rowKey)
    const main = mainOf(`${random.pick(OTHERS)}/${random.below(2)}`, `te${random.below(40)}`)
    return this.#write({ map: setName('labels'), kind: SETS_KIND, rowKey: compositeKey(main, sub!) }, undefined)
  }

  /** Puts another text in the place of one that it has seen, under the name of its author. */
  #editAsOthers(): GuestWrite | undefined {
    const row = this.#pick(({ bytes, map }) => {
      const text = Buffer.from(bytes).toString('latin1')
      return map === DOCUMENT_ROWS && /\[[0-9m]/.test(text) && (this.#author === '' || !text.includes(this.#author))
    })
    if (row === undefined) return undefined
    const bytes = Buffer.from(row.bytes)
    const at = bytes.toString('latin1').search(/\[[0-9m]/)
    bytes.write(FORGED, at, 'latin1')
    return this.#write({ ...row, kind: DOCUMENT_KIND }, new Uint8Array(bytes))
  }

  /** A delete, or a value, where its pass covers nothing. */
  #deleteOutside(): GuestWrite {
    const { random } = this.#deps
    const bytes = random.chance(0.5) ? undefined : encodeValue(`forged #${this.#number}`, 1000)
    const map = random.pick(['todos', 'news', 'salaries'])
    const rowKey = map === 'todos' ? `${random.pick(OTHERS)}/${random.below(4)}` : `a${random.below(4)}`
    return this.#write({ map, kind: MAP_KIND, rowKey }, bytes)
  }

  #ask(): undefined {
    const { orders, random, time } = this.#deps
    if (orders === undefined) return
    const key = `${random.pick(OTHERS)}/${random.below(4)}`
    const value = { text: `forged #${this.#number}`, size: 1 }
    const dateHlc = hlcFromWall(time.wallMs)
    const write = { op: 'write', key, dateHlc, again: random.chance(0.5), ttlMs: undefined } as const
    const question = random.pick<MapQuestion>([
      { op: 'read', keys: [key], all: random.chance(0.5) },
      { op: 'walk', prefix: '', place: undefined },
      { op: 'walk', prefix: key.slice(0, 3), place: { prefix: '', partition: 0, after: '' } },
      { op: 'query', asked: { where: { size: { $gte: 0 } } } },
      { op: 'groups', asked: { count: true } },
      { ...write, bytes: encodeValue(value, 1000), expiresAtMs: undefined, copies: undefined },
      { ...write, bytes: undefined, expiresAtMs: undefined, copies: undefined },
    ])
    this.attempts += 1
    const { owners = 3, partitions = 16 } = orders
    const request = encodeMapRequest({ map: ORDERS, kind: MAP_KIND, partitions, owners, timeoutMs: 2000, ...question })
    const number = (this.#number += 1)
    this.#asked.set(number, request)
    this.#say({ type: 'ask', number, request })
  }

  #write(row: Pick<GuestWrite, 'kind' | 'map' | 'rowKey'>, bytes: Uint8Array | undefined): GuestWrite {
    const { random, time } = this.#deps
    const hlc = hlcFromWall(time.wallMs + random.pick([0, 0, 20_000]))
    this.#number += 1
    const { kind, map, rowKey } = row
    return { number: this.#number, map, kind, rowKey, hlc, again: random.chance(0.3), bytes }
  }

  #pick(isWanted: (row: SeenRow) => boolean): SeenRow | undefined {
    const rows = [...this.#seen.values()].filter(isWanted)
    return rows.length === 0 ? undefined : this.#deps.random.pick(rows)
  }
}
