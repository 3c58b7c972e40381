import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GridError, openGrid } from 'gossipgrid'
import type { Grid, GridStatus } from 'gossipgrid'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { program } from '../program.ts'
import type { ForgetAnswer, MembersAnswer } from './control-api.ts'
import { ControlClient } from './control-client.ts'
import { serveControl } from './control-server.ts'
import type { ControlServer } from './control-server.ts'

const DAY_MS = 86_400_000
const GONE = '12D3KooWGdR2NAPoKNmANyNXrz9k7sSHkD6MLT7Ab5Ang3vcpDe2'
const TWINS = ['12D3KooWAAAAsame', '12D3KooWBBBBsame']

let folder: string
let grid: Grid
let server: ControlServer
let client: ControlClient
let forgotten: string[]
let changed: Partial<GridStatus>

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gg-'))
  grid = await openGrid({
    name: 'members',
    secret: 'of a test, and long enough for one',
    listen: ['/ip4/127.0.0.1/tcp/0'],
    mdns: false,
  })
  forgotten = []
  const members = [GONE, ...TWINS].map((peerId) => ({ peerId, silentMs: 12 * DAY_MS, awaited: true }))
  members.push({ peerId: grid.peerId, silentMs: 0, awaited: false })
  const purging = { members, candidates: 1, nextAtMs: undefined, tombstones: 3, text: 'waiting for a peer' }
  changed = { purging }
  // States that take weeks to arise in a real grid.
  const shown = {
    ...{ name: grid.name, peerId: grid.peerId, uptimeMs: 1, members: grid.members },
    collections: () => [],
    status: () => ({ ...grid.status(), ...changed }),
    forget: (peerId: string) => {
      if (peerId === grid.peerId) return Promise.reject(new GridError('INVALID_OPTION', 'a peer cannot forget itself'))
      forgotten.push(peerId)
      return Promise.resolve(true)
    },
  } as unknown as Grid
  const socket = join(folder, 'members.sock')
  server = await serveControl({ grid: shown, socket, facts: { pid: 1, version: '0', directory: '', metrics: '' } })
  client = new ControlClient(socket)
})

afterEach(async () => {
  vi.restoreAllMocks()
  client.close()
  await server.close()
  await grid.close()
  rmSync(folder, { recursive: true, force: true })
})

/** The output of a command. */
async function printed(...words: readonly string[]): Promise<string> {
  let text = ''
  const take = (part: unknown): boolean => ((text += String(part)), true)
  for (const stream of [process.stdout, process.stderr]) vi.spyOn(stream, 'write').mockImplementation(take)
  await program().parseAsync([...words, '--socket', server.socket], { from: 'user' })
  vi.restoreAllMocks()
  return text
}

function forget(member: string): Promise<ForgetAnswer> {
  return client.call<ForgetAnswer>('/v1/member', { method: 'DELETE', query: { member } })
}

test('a registered peer is forgotten by the end of its id', async () => {
  expect(await forget('cpDe2')).toEqual({ peerId: GONE, alive: false })
  expect(await forget(TWINS[1]!)).toEqual({ peerId: TWINS[1]!, alive: false })
  expect(forgotten).toEqual([GONE, TWINS[1]])
  expect(await printed('forget', 'cpDe2')).toBe(`Forgotten: ${GONE}. No peer waits for it any more.\n`)
  expect(JSON.parse(await printed('forget', 'cpDe2', '--json'))).toEqual({ peerId: GONE, alive: false })
})

test('an unknown id, the peer itself, and an id that fits several peers give an error', async () => {
  for (const unknown of ['stranger', '']) await expect(forget(unknown)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await expect(forget('same')).rejects.toMatchObject({ code: 'SEVERAL_PEERS', exitCode: 2 })
  await expect(forget(grid.peerId)).rejects.toMatchObject({ code: 'INVALID_OPTION', exitCode: 2 })
  await expect(printed('forget', 'stranger')).rejects.toMatchObject({ code: 'NOT_FOUND', exitCode: 1 })
  expect(forgotten).toEqual([])
})

test('members lists registered peers that are away, and shows which are durable', async () => {
  const { members, registered } = await client.call<MembersAnswer>('/v1/members')
  expect(members).toMatchObject([{ peerId: grid.peerId, registered: false }])
  expect(registered).toHaveLength(4)
  const text = await printed('members')
  expect(text).toMatch(/^PEER .* DURABLE .*\n.* no /)
  expect(text).toMatch(/Registered and away .*:\n {2}g3vcpDe2 {2}silent for 12 days\n/)
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
})

test('status explains a wrong clock and what purging waits for, and prints nothing when all is well', async () => {
  const shown = await printed('status')
  expect(shown).toMatch(/^deletes +waiting for a peer$/m)
  expect(shown).not.toMatch(/^clock/m)
  const text = 'no tombstones'
  changed = {
    purging: { members: [], candidates: 0, nextAtMs: undefined, tombstones: 0, text },
    clock: { offsetMs: -3_600_000, voters: 2, restamped: 20, heldWrites: 0, refusedWrites: 4 },
  }
  const wrong = await printed('status')
  expect(wrong).not.toContain(text)
  expect(wrong.replaceAll(/\s+/g, ' ')).toContain(
    "clock this machine is 1 hour ahead, going by 2 other peers; the grid's time is used: set it right; " +
      '20 writes redated; writes of others refused 4 times: dated too far ahead ',
  )
  expect(wrong.split('\n').filter((line) => line.length > 80 && !line.startsWith('socket'))).toEqual([])
})
