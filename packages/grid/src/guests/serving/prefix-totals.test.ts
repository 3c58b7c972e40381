import type { Partition } from '@gossipgrid/core'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Grid } from '../../grid.ts'
import { TestGrids } from '../../rig/test-grids.ts'
import { mapPartition } from './guest-reads.ts'
import { PrefixTotals, sizeOf } from './prefix-totals.ts'

const grids = new TestGrids()
let member: Grid
let partition: Partition
beforeEach(async () => {
  member = await grids.open()
  member.map('todos')
  partition = mapPartition(member.pump.peer.collections, 'todos')!
})
afterEach(() => grids.close())

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

/** By looking at everything that is there. */
function looked(prefix: string): { rows: number; bytes: number } {
  const { table } = partition.replica
  const slots = [...table.slots()].filter((slot) => !table.deleted(slot) && table.key(slot).startsWith(prefix))
  const bytes = slots.reduce((sum, slot) => sum + sizeOf(table.key(slot), table.valueLength(slot)), 0)
  return { rows: slots.length, bytes }
}

async function fill(subjects: number, entries: number): Promise<void> {
  const rows = Array.from({ length: subjects * entries }, (_, i) => [`u${i % subjects}/${i}`, `value ${i}`] as const)
  await member.map('todos').setMany(rows)
}

describe('totals by what keys begin with', () => {
  it('are those of what is there, also of what changes while they are counted in turns', async () => {
    await fill(50, 1200)
    const totals = new PrefixTotals(partition)
    const prefixes = ['', 'u1/', 'u2/', 'u2', 'u30/', 'u7/4', 'none/', 'u1/1/']
    let isOver = false
    const counting = Promise.all(prefixes.map((prefix) => totals.count(prefix))).then(() => (isOver = true))
    const map = member.map<unknown>('todos')
    let turns = 0
    for (; !isOver; turns++) {
      // At the begin and at the end of what is looked through, in what was and in what was not counted.
      const i = turns * 7
      void map.set(`u${i % 50}/new ${i}`, 'x'.repeat(i % 40))
      void map.set(`u1/${1 + 50 * (turns % 1200)}`, 'changed')
      void map.delete(`u2/${2 + 50 * (turns % 600)}`)
      void map.delete(`u30/${30 + 50 * (1199 - (turns % 600))}`)
      void map.set('none/a', turns)
      void map.delete('none/a')
      await turn()
    }
    await counting
    expect(turns).toBeGreaterThan(3)
    for (const prefix of prefixes) expect(totals.of(prefix), prefix).toEqual(looked(prefix))
    for (const key of ['u1/1', 'u1/51', 'u7/407']) await map.delete(key)
    await map.setMany([
      ['u1/1', 'again'],
      ['u99/x', 'a new subject'],
    ])
    expect(totals.of('u99/')).toEqual(looked('u99/'))
    for (const prefix of prefixes) expect(totals.of(prefix), prefix).toEqual(looked(prefix))
  })

  it('are counted once for all subjects, and for none that comes later', async () => {
    await fill(300, 20)
    const totals = new PrefixTotals(partition)
    const key = vi.spyOn(partition.replica.table, 'key')
    await Promise.all(Array.from({ length: 200 }, (_, i) => totals.count(`u${i}/`)))
    expect(key.mock.calls.length).toBeLessThanOrEqual(6000)
    for (let i = 200; i < 400; i++) expect(totals.of(`u${i}/`)?.rows, `u${i}/`).toBe(i < 300 ? 20 : 0)
    expect(key.mock.calls.length).toBeLessThanOrEqual(6000)
  })

  it('are bounded: of too many subjects, those are kept that were asked for last, and others are counted again', async () => {
    await fill(30, 10)
    const totals = new PrefixTotals(partition, 12)
    await totals.count('u3/')
    expect(totals.of('u3/')).toEqual(looked('u3/'))
    expect(totals.of('u4/')).toBeUndefined()
    for (let i = 0; i < 30; i++) {
      await totals.count(`u${i}/`)
      expect(totals.of(`u${i}/`)).toEqual(looked(`u${i}/`))
      expect(totals.size).toBeLessThanOrEqual(13)
    }
    await member.map('todos').set('u29/x', 1)
    await member.map('todos').set('u5/x', 1)
    expect(totals.of('u29/')).toEqual(looked('u29/'))
    expect(totals.of('u5/')).toBeUndefined()
    await totals.count('u5/')
    expect(totals.of('u5/')?.rows).toBe(11)
  })

  it('stay bounded when subjects come one by one', async () => {
    const totals = new PrefixTotals(partition, 12)
    await totals.count('u0/')
    for (let i = 0; i < 30; i++) await member.map('todos').set(`u${i}/x`, i)
    expect(totals.size).toBeLessThanOrEqual(12)
    await totals.count('u29/')
    expect(totals.of('u29/')).toEqual(looked('u29/'))
    expect(totals.size).toBeLessThanOrEqual(12)
  })
})
