import { expect, test } from 'vitest'
import { FORGET_MEMBER_AFTER_MS, GONE_AFTER_MS, HEARTBEAT_MS, MEMBERS_MAX, SUSPECT_AFTER_MS } from '../limits.ts'
import type { MemberRecord } from '../wire/member-record.ts'
import { Membership, heartbeatMs } from './membership.ts'
import { Outbox } from '../outbox/outbox.ts'
import { SeededRandom } from '../bytes/seeded-random.ts'

function record(peerId: string, changes: Partial<MemberRecord> = {}): MemberRecord {
  return {
    peerId,
    incarnation: 1,
    revision: 0,
    role: 'light',
    weight: 0,
    zone: '',
    addresses: [],
    software: 'test',
    replicaId: '0'.repeat(16),
    left: false,
    ...changes,
  }
}

function at(monotonicMs: number): { wallMs: number; monotonicMs: number } {
  return { wallMs: 0, monotonicMs }
}

/** `reported()` are the states reported so far, `gone` the members that were reported as gone. */
function membership(): { members: Membership; reported: () => string[]; gone: string[] } {
  const outbox = new Outbox()
  const gone: string[] = []
  const states: string[] = []
  const members = new Membership(record('self'), { outbox, gone: (peerId) => gone.push(peerId) })
  const reported = (): string[] => {
    for (const effect of outbox.take()) {
      if (effect.type !== 'event' || effect.event.type !== 'member') throw new Error(effect.type)
      states.push(`${effect.event.record.peerId} ${effect.event.state}`)
    }
    return states
  }
  return { members, reported, gone }
}

test('a member that falls silent is suspect, then gone, then forgotten, and each is reported once', () => {
  const { members, reported, gone } = membership()
  members.learn(record('a'), 'broadcast', at(0))
  for (let now = 0; now <= FORGET_MEMBER_AFTER_MS + 1000; now += 1000) members.expire(at(now))
  expect(gone).toEqual(['a'])
  expect(reported()).toEqual(['a alive', 'a suspect', 'a gone'])
  expect(members.others).toEqual([])
})

test('leases run out when they should', () => {
  const { members } = membership()
  members.learn(record('a'), 'broadcast', at(0))
  const stateAt = (now: number): string => {
    members.expire(at(now))
    return members.get('a')!.state
  }
  expect(stateAt(SUSPECT_AFTER_MS)).toBe('alive')
  expect(stateAt(SUSPECT_AFTER_MS + 1)).toBe('suspect')
  expect(stateAt(GONE_AFTER_MS)).toBe('suspect')
  expect(stateAt(GONE_AFTER_MS + 1)).toBe('gone')
})

test('any sign of life renews the lease', () => {
  const { members, reported } = membership()
  members.learn(record('a'), 'broadcast', at(0))
  members.expire(at(SUSPECT_AFTER_MS + 1))
  members.renewLease('a', at(SUSPECT_AFTER_MS + 2))
  members.expire(at(2 * SUSPECT_AFTER_MS))
  expect(reported()).toEqual(['a alive', 'a suspect', 'a alive'])
})

test('a member that says it is asleep is neither suspect nor gone while it is silent, until it is forgotten', () => {
  const { members, reported } = membership()
  members.learn(record('a'), 'broadcast', at(0))
  members.learn(record('a', { revision: 1, asleep: true }), 'broadcast', at(1))
  members.expire(at(FORGET_MEMBER_AFTER_MS))
  expect(members.get('a')?.state).toBe('asleep')
  members.learn(record('a', { revision: 2 }), 'broadcast', at(FORGET_MEMBER_AFTER_MS))
  expect(reported()).toEqual(['a alive', 'a asleep', 'a alive'])
  members.learn(record('a', { revision: 3, asleep: true }), 'broadcast', at(FORGET_MEMBER_AFTER_MS))
  members.expire(at(2 * FORGET_MEMBER_AFTER_MS + 1))
  expect(members.others).toEqual([])
})

test('this peer says once that it is asleep, and once that it is back', () => {
  const { members } = membership()
  members.sleep(true)
  members.sleep(true)
  expect(members.self).toMatchObject({ revision: 1, asleep: true })
  members.sleep(false)
  expect(members.self.revision).toBe(2)
  expect(members.self).not.toHaveProperty('asleep')
})

test('hearsay makes a member known but does not keep it alive', () => {
  const { members } = membership()
  expect(members.learn(record('a'), 'hearsay', at(0))).toBe(true)
  for (let now = 0; now <= GONE_AFTER_MS + 1; now += 1000) members.learn(record('a'), 'hearsay', at(now))
  members.expire(at(GONE_AFTER_MS + 1))
  expect(members.get('a')?.state).toBe('gone')
})

test('the newer record supersedes, by incarnation and then by revision', () => {
  const { members } = membership()
  members.learn(record('a', { incarnation: 5, revision: 2, zone: 'first' }), 'broadcast', at(0))
  expect(members.learn(record('a', { incarnation: 5, revision: 2, zone: 'same' }), 'broadcast', at(0))).toBe(false)
  expect(members.learn(record('a', { incarnation: 4, revision: 9, zone: 'older' }), 'broadcast', at(0))).toBe(false)
  expect(members.get('a')?.record.zone).toBe('first')
  expect(members.learn(record('a', { incarnation: 5, revision: 3, zone: 'revised' }), 'broadcast', at(0))).toBe(true)
  expect(members.learn(record('a', { incarnation: 6, revision: 0, zone: 'restarted' }), 'broadcast', at(0))).toBe(true)
  expect(members.get('a')?.record.zone).toBe('restarted')
})

test('no other peer can change what this peer knows about itself', () => {
  const { members } = membership()
  expect(members.learn(record('self', { incarnation: 99, left: true }), 'hearsay', at(0))).toBe(false)
  expect(members.self.left).toBe(false)
})

test('a member that left stays gone until it comes back as a new incarnation', () => {
  const { members } = membership()
  members.learn(record('a'), 'broadcast', at(0))
  members.departed('a', true)
  members.renewLease('a', at(1))
  members.learn(record('a'), 'broadcast', at(2))
  expect(members.get('a')?.state).toBe('gone')
  members.learn(record('a', { incarnation: 2 }), 'broadcast', at(3))
  expect(members.get('a')?.state).toBe('alive')
})

test('members are bounded, and so is the report to a new neighbour', () => {
  const { members } = membership()
  for (let i = 0; i < 3 * MEMBERS_MAX; i++) members.learn(record(`peer ${i}`), 'broadcast', at(0))
  expect(members.others.length).toBe(MEMBERS_MAX)
  expect(members.records().length).toBe(MEMBERS_MAX + 1)
  expect(members.records()[0]?.peerId).toBe('self')
})

test('those who are gone are not passed on', () => {
  const { members } = membership()
  members.learn(record('a'), 'broadcast', at(0))
  members.learn(record('b'), 'broadcast', at(0))
  members.departed('a', false)
  expect(members.records().map(({ peerId }) => peerId)).toEqual(['self', 'b'])
})

test('a change of the own record is reported soon', () => {
  const { members } = membership()
  const random = new SeededRandom(1)
  expect(members.heartbeatDue(at(1000), random)).toBe(true)
  expect(members.heartbeatDue(at(1001), random)).toBe(false)
  members.update({ addresses: ['/somewhere'] })
  expect(members.self).toMatchObject({ revision: 1, addresses: ['/somewhere'] })
  expect(members.heartbeatDue(at(1002), random)).toBe(true)
})

test('heartbeats come every 2 s, and slow down as the grid grows', () => {
  const { members } = membership()
  const random = new SeededRandom(1)
  let heartbeats = 0
  for (let now = 0; now < 100_000; now += 10) if (members.heartbeatDue(at(now), random)) heartbeats += 1
  expect(heartbeats).toBeGreaterThan(40)
  expect(heartbeats).toBeLessThan(60)
  expect([heartbeatMs(0), heartbeatMs(20), heartbeatMs(100)]).toEqual([HEARTBEAT_MS, HEARTBEAT_MS, 10_000])
})

test('a life whose heartbeats alone go on coming is the one that runs, though its clock is behind an earlier one', () => {
  const { members } = membership()
  members.learn(record('a', { incarnation: 9, replicaId: 'f'.repeat(16) }), 'broadcast', at(0))
  const now = record('a', { incarnation: 5, replicaId: 'a'.repeat(16) })
  for (let i = 0; i < 2; i++) {
    members.learn(now, 'broadcast', at(100))
    expect(members.get('a')?.record.incarnation).toBe(9)
  }
  // A late one of the earlier life: the count starts again.
  members.learn(record('a', { incarnation: 9, replicaId: 'f'.repeat(16) }), 'broadcast', at(200))
  for (let i = 0; i < 3; i++) members.learn(now, 'broadcast', at(300))
  expect(members.get('a')?.record).toEqual(now)
})
