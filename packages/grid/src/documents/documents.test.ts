import { expect, it } from 'vitest'
import { TestGrids } from '../rig/test-grids.ts'

/** Yjs leaves this behind where it is loaded. */
const isYjsLoaded = (): boolean => Reflect.has(globalThis, '__ $YJS$ __')

it('a grid loads Yjs with the first document that is opened, and lists and deletes without it', async () => {
  const grids = new TestGrids()
  try {
    const grid = await grids.open()
    expect(grid.docs()).toEqual([])
    expect(await grid.deleteDoc('note')).toBe(false)
    expect(isYjsLoaded()).toBe(false)
    const note = await grid.doc('note')
    expect(isYjsLoaded()).toBe(true)
    await note.close()
  } finally {
    await grids.close()
  }
})

it('a grid that closes lets go of its documents, and writes what was typed last', async () => {
  const grids = new TestGrids()
  const grid = await grids.open()
  const other = await grids.open()
  const note = await grid.doc('note')
  const there = await other.doc('note')
  let closed = false
  note.on('close', () => (closed = true))
  note.y.getText('body').insert(0, 'last words')
  await grid.close()
  expect(closed).toBe(true)
  await expect.poll(() => there.y.getText('body').toJSON()).toBe('last words')
  await expect(grid.doc('note')).rejects.toMatchObject({ code: 'CLOSED' })
  await expect(note.flush()).rejects.toMatchObject({ code: 'CLOSED' })
  await grids.close()
})
