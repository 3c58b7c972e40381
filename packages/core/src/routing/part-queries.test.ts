import { describe, expect, it } from 'vitest'
import { QUERIES_EACH_MAX, QUERY_PATIENCE_MS } from '../limits.ts'
import { OwningPeers, keyIn, users, usersOf } from '../rig/owning-peers.ts'
import { encodeMessage } from '../wire/messages.ts'
import type { AskedQuery } from '../wire/read-messages.ts'
import type { PartAnswer } from './part-queries.ts'

const QUESTION = Uint8Array.of(1)
const ALL = Array.from({ length: 16 }, (_, index) => users(index))

/** A peer that owns nothing beside owners of every partition, which have compared with each other. */
function outsider(owners: number, ...names: string[]): OwningPeers {
  const peers = new OwningPeers().settle(usersOf(owners), ...names)
  peers.joinWeightless('w')
  peers.advance(2000)
  return peers
}

/** The queries that a peer was asked, as it passes them to the layer above. */
function askedOf(peers: OwningPeers, name: string): AskedQuery[] {
  return peers.events(name, 'query').map(({ query }) => query)
}

function ask(peers: OwningPeers, name: string, timeoutMs?: number): (readonly (PartAnswer | undefined)[])[] {
  const answers: (readonly (PartAnswer | undefined)[])[] = []
  const options = timeoutMs === undefined ? {} : { timeoutMs }
  peers.peer(name).partitions.query(ALL, QUESTION, peers.nowOf(name), (found) => answers.push(found), options)
  peers.give(name, { type: 'tick' })
  peers.run()
  return answers
}

/** Answers the last query of a peer with the rows of its copies, and one byte. */
function reply(peers: OwningPeers, name: string, byte: number, query: AskedQuery = askedOf(peers, name).at(-1)!): void {
  const { partitions } = peers.peer(name)
  const rows = query.own.map((own) => ({ name: own, rows: partitions.known(own, keyIn(own.partition - 16)) }))
  partitions.reply(query, { answered: query.own, answer: Uint8Array.of(byte), rows })
  peers.give(name, { type: 'tick' })
  peers.run()
}

describe('a query of partitions', () => {
  it('goes to one whole owner of each, which answers for all of its partitions together', () => {
    const peers = outsider(1, 'a', 'b')
    for (let index = 0; index < 16; index++) peers.writeTo('a', index, index + 1)
    peers.advance(1000)
    const answers = ask(peers, 'w')
    expect(peers.sent('query').length).toBe(2)
    const [ofA, ofB] = ['a', 'b'].map((name) => askedOf(peers, name)[0]!)
    expect(ofA!.own.length + ofB!.own.length).toBe(16)
    expect([ofA, ofB].map((query) => [query!.question, query!.onward])).toEqual([
      [QUESTION, []],
      [QUESTION, []],
    ])
    reply(peers, 'a', 7)
    expect(answers).toEqual([])
    reply(peers, 'b', 8)
    const [found] = answers
    for (let index = 0; index < 16; index++) {
      const { peer, answer, keys } = found![index]!
      expect(peer).toBe(peers.owners(index)[0])
      expect(answer[0]).toBe(peer === 'a' ? 7 : 8)
      const row = keys.find(({ key }) => key === keyIn(index))!.rows[0]!
      expect(row.bytes![row.start]).toBe(index + 1)
    }
    expect(new Set(found).size).toBe(2)
  })

  it('marks what this peer may answer itself', () => {
    const peers = outsider(1, 'a')
    expect(ask(peers, 'a')[0]!.map((each) => each?.peer)).toEqual(Array.from({ length: 16 }, () => undefined))
    expect(peers.sent('query')).toEqual([])
  })

  it('counts an answer for all that it is about or not at all, if another peer has answered a part of it', () => {
    const peers = outsider(2, 'a', 'b', 'c')
    const answers = ask(peers, 'w')
    const first = ['a', 'b', 'c'].filter((name) => askedOf(peers, name).length > 0)
    // None answers in time, so others are asked as well; then all answer, in the order of their names and of the questions.
    peers.advance(QUERY_PATIENCE_MS + 100)
    expect(peers.sent('query').length).toBeGreaterThan(first.length)
    for (let round = 0; round < 5 && answers.length === 0; round++) {
      for (const name of ['a', 'b', 'c']) for (const query of askedOf(peers, name)) reply(peers, name, 1, query)
    }
    const said = new Map<PartAnswer, number[]>()
    for (const [index, answer] of answers[0]!.entries()) said.set(answer!, [...(said.get(answer!) ?? []), index])
    for (const [answer, indexes] of said) {
      const asked = peers.passed.flatMap(({ to, message }) => {
        return message.type === 'query' && to === answer.peer
          ? [message.partitions.map((each) => each - 16).join()]
          : []
      })
      expect(asked).toContain(indexes.join())
    }
  })

  it('goes through a member, if no owner is in reach, once', () => {
    const peers = outsider(1, 'a')
    peers.joinMemory('t', ['w'])
    peers.advance(2000)
    const answers = ask(peers, 't')
    const [query] = askedOf(peers, 'w')
    expect([query!.own.length, query!.onward.length]).toEqual([0, 16])
    peers.peer('w').partitions.query(
      query!.onward,
      QUESTION,
      peers.nowOf('w'),
      ([found]) => {
        peers.peer('w').partitions.reply(query!, { answered: query!.onward, answer: found!.answer, rows: [] })
      },
      { passedFor: 't' },
    )
    peers.give('w', { type: 'tick' })
    peers.run()
    expect(askedOf(peers, 'a')[0]!.own.length).toBe(16)
    reply(peers, 'a', 9)
    peers.give('w', { type: 'tick' })
    peers.run()
    expect(answers[0]![0]!.answer).toEqual(Uint8Array.of(9))
  })

  it('is unanswered in the end where no peer answers', () => {
    const peers = outsider(1, 'a')
    const answers = ask(peers, 'w', 3000)
    peers.advance(4000)
    expect(answers).toEqual([Array.from({ length: 16 }, () => undefined)])
  })

  it('of one peer is one of sixteen at a time, and ends with its connection', () => {
    const peers = outsider(1, 'a')
    for (let i = 0; i < QUERIES_EACH_MAX + 3; i++) ask(peers, 'w')
    const asked = askedOf(peers, 'a')
    expect(asked.length).toBe(QUERIES_EACH_MAX)
    const { partitions } = peers.peer('a')
    expect(partitions.isAsked(asked[0]!)).toBe(true)
    peers.cut('w', 'a')
    expect(partitions.isAsked(asked[0]!)).toBe(false)
    reply(peers, 'a', 1, asked[0])
  })

  it('that names no partition, one twice or one that every peer holds is malformed', () => {
    const peers = outsider(1, 'a')
    for (const partitions of [[], [16, 16], [0, 16]]) {
      const bytes = encodeMessage({
        type: 'query',
        request: 1,
        collection: 'users',
        kind: 1,
        partitions,
        question: QUESTION,
      })
      peers.give('a', { type: 'message', from: 'w', bytes })
    }
    const refused = peers.events('a', 'refused').map(({ error }) => error.code)
    expect(refused).toEqual(['MESSAGE_MALFORMED', 'MESSAGE_MALFORMED', 'MESSAGE_MALFORMED'])
    expect(askedOf(peers, 'a')).toEqual([])
  })
})
