import { memoryStorage } from '@gossipgrid/storage'
import type { Storage } from '@gossipgrid/core'
import { afterEach } from 'vitest'
import type { Grid } from '../grid.ts'
import type { Grant } from '../guests/grants.ts'
import { openGrid } from '../open-grid.ts'
import type { OpenGridOptions } from '../open-grid-options.ts'
import { diskInMemory, until } from './test-grids.ts'

export const SECRET = 'q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA'
export const HOUR_MS = 3_600_000
export const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

const open: Grid[] = []

/** Members and guests are closed after each test. */
export function closeAfterEach(): void {
  afterEach(async () => {
    for (const grid of open.splice(0).toReversed()) await grid.close()
  })
}

export async function openMember(options: Partial<OpenGridOptions> = {}): Promise<Grid> {
  const grid = await openGrid({
    name: 'shop',
    secret: SECRET,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    mdns: false,
    logger: silent,
    guests: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] },
    ...options,
  })
  open.push(grid)
  return grid
}

const addressesOf = (...members: readonly Grid[]): string[] =>
  members.flatMap((member) => [...(member.status().guests?.addresses ?? [])])

export async function openGuest(
  members: Grid | readonly Grid[],
  pass: OpenGridOptions['pass'],
  storage: Storage = memoryStorage(),
  options: Partial<OpenGridOptions> = {},
): Promise<Grid> {
  const join = addressesOf(...[members].flat())
  const grid = await openGrid({ name: 'shop', pass: pass!, join, storage, logger: silent, ...options })
  open.push(grid)
  return grid
}

export async function copyOf(disk: Storage): Promise<Storage> {
  const copy = diskInMemory()
  for (const key of await disk.list(''))
    await copy.write([{ type: 'put', key, bytes: (await disk.read(key))! }], { durable: true })
  return copy
}

export function passOf(
  member: Grid,
  grants: readonly Grant[],
  subject = 'ada',
  expiresInMs: number = HOUR_MS,
): Promise<string> {
  return member.issuePass({ subject, expiresInMs, grants })
}

/** The refused writes of a guest, as they come. */
export function refusedOf(guest: Grid): { code: string; key: string | undefined }[] {
  const refused: { code: string; key: string | undefined }[] = []
  guest.on('refused', ({ error, write }) => refused.push({ code: error.code, key: write?.key }))
  return refused
}

export const answered = (guest: Grid): Promise<void> =>
  until(() => guest.status().guest?.waitingWrites === 0, 'the answers')
