import { DOCUMENTS } from '@gossipgrid/core'
import { expect, it, vi } from 'vitest'
import { Doc } from 'yjs'
import type { GridDocument } from '../../documents/opened/grid-document.ts'
import type { Grid } from '../../grid.ts'
import { answered, closeAfterEach, openGuest, openMember, passOf } from '../../rig/guest-grids.ts'

closeAfterEach()

const NAME = 'boards/42/a'
const GRANTS = [{ doc: 'boards/42/', may: 'write' } as const, { map: 'board', may: 'write' } as const]

/** Types texts, each into a row of its own. */
async function type(document: GridDocument, count: number, text = 'x'): Promise<void> {
  for (let i = 0; i < count; i++) {
    document.y.getText('body').insert(0, text)
    await document.flush()
  }
}

/** The same, and closes the document: its rows may be merged. */
async function typeAndClose(grid: Grid, count: number): Promise<void> {
  const document = await grid.doc(NAME)
  await type(document, count)
  await document.close()
}

async function lengthOf(grid: Grid): Promise<number> {
  const document = await grid.doc(NAME)
  const { length } = document.y.getText('body')
  await document.close()
  return length
}

function rowsOf({ pump }: Grid): number {
  const { table } = pump.peer.collections.internal(DOCUMENTS).replica
  return [...table.slots()].filter((slot) => !table.deleted(slot)).length
}

async function memberAndGuest(): Promise<readonly [member: Grid, guest: Grid]> {
  const member = await openMember()
  const guest = await openGuest(member, await passOf(member, GRANTS))
  await guest.ready()
  return [member, guest]
}

it('a guest that has merged its rows twice while it was offline sends its edits, and other writes', async () => {
  const [member, guest] = await memberAndGuest()
  // Members have these rows. The first merge deletes them, so it is to be there before the second one.
  await typeAndClose(guest, 5)
  await answered(guest)
  await guest.disconnect()
  for (let i = 0; i < 3; i++) await typeAndClose(guest, 10)
  await guest.map('board').set('a', 1)
  await guest.connect()
  await answered(guest)
  expect(await lengthOf(member)).toBe(35)
  expect(member.map('board').peek('a')).toBe(1)
  // Now that members have all, rows are merged again.
  await typeAndClose(guest, 1)
  await answered(guest)
  expect(await lengthOf(member)).toBe(36)
  expect(rowsOf(member)).toBeLessThan(5)
})

it('and so does one whose large edits have merged rows, in the place of which it has written others', async () => {
  const [member, guest] = await memberAndGuest()
  const document = await guest.doc(NAME)
  await type(document, 5)
  await answered(guest)
  await guest.disconnect()
  await type(document, 1, 'x'.repeat(40_000))
  // One more than there are keys for rows of small edits.
  await type(document, 65)
  await type(document, 1, 'x'.repeat(40_000))
  await guest.connect()
  await answered(guest)
  expect(await lengthOf(member)).toBe(80_070)
})

it('and so does one that has closed a document offline on whose edits another Y.Doc has built', async () => {
  const [member, guest] = await memberAndGuest()
  const document = await guest.doc(NAME)
  const other = await guest.doc(NAME, { doc: new Doc() })
  await guest.disconnect()
  await type(document, 9)
  const text = other.y.getText('body')
  await vi.waitUntil(() => text.length === 9)
  text.insert(9, 'y')
  await other.flush()
  await document.close()
  await guest.connect()
  await answered(guest)
  expect(await lengthOf(member)).toBe(10)
})
