import { generationStart } from '@gossipgrid/core'
import { memoryNetworkHub } from '@gossipgrid/testing/memory-network'
import type { MemoryNetworkHub } from '@gossipgrid/testing/memory-network'
import { afterEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import type { Grid } from '../../grid.ts'
import type { OpenGridOptions } from '../../open-grid-options.ts'
import { madeUpFrame } from '../../rig/made-up-rows.ts'
import { TestGrids, diskInMemory } from '../../rig/test-grids.ts'
import { GENERATION_LIMITS } from './generation-limits.ts'
import type { GridDocument } from '../opened/grid-document.ts'

const EAGER = {
  clientsMax: 6,
  weighedMinBytes: 4096,
  weightMax: 10,
  quietMs: 60,
  checkMs: 20,
  settledAfterMs: 100,
  lagMax: Infinity,
}
/** Never begins one by itself, but carries over. */
const LAZY = { ...EAGER, clientsMax: Infinity, weighedMinBytes: Infinity }
const WAIT = { timeout: 60_000 }
const silent = (): undefined => undefined

let grids = new TestGrids()
afterEach(async () => {
  await grids.close()
  grids = new TestGrids()
})

async function open(limits = LAZY, options: Partial<OpenGridOptions> = {}): Promise<Grid> {
  const grid = await grids.open(options)
  grid.documents.limits = limits
  return grid
}

const body = ({ y }: Pick<GridDocument, 'y'>): Y.Text => y.getText('body')
const textOf = (document: Pick<GridDocument, 'y'>): string => body(document).toJSON()
const textAt = async (grid: Grid): Promise<string> => textOf(await grid.doc('note'))
const generationAt = (grid: Grid): number => grid.documents.table.generationOf('note').number

/** Types under so many client ids, one after the other. */
async function typeAs(grid: Grid, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const document = await grid.doc('note', { doc: new Y.Doc() })
    body(document).insert(body(document).length, `w${i} `)
    await document.close()
  }
}

const words = (count: number): string => Array.from({ length: count }, (_, i) => `w${i} `).join('')

/** Opens the document at a peer and waits until it is compacted. */
async function compacts(grid: Grid): Promise<void> {
  const before = generationAt(grid)
  const document = await grid.doc('note')
  await expect.poll(() => generationAt(grid), WAIT).not.toBe(before)
  expect(document.endedBy?.code).toBe('DOCUMENT_GENERATION')
}

describe('a document is compacted', () => {
  it('under one client id once it has too many, with the same content and fewer bytes', async () => {
    const grid = await open({ ...EAGER, clientsMax: GENERATION_LIMITS.clientsMax })
    await typeAs(grid, 300)
    const { table } = grid.documents
    const bytesOf = (): number => table.rowsOf('note').reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    const before = bytesOf()
    await compacts(grid)
    const again = await grid.doc('note')
    expect(textOf(again)).toBe(words(300))
    expect(again.y.store.clients.size).toBe(1)
    await expect.poll(bytesOf, WAIT).toBeLessThan(before / 4)
    expect(await textAt(grid)).toBe(words(300))
  })

  it('once it takes ten times what it shows', async () => {
    const grid = await open(EAGER)
    const document = await grid.doc('note')
    body(document).insert(0, 'kept')
    for (let i = 0; i < 2000; i++) {
      body(document).insert(0, 'x')
      body(document).insert(0, 'y')
      body(document).delete(1, 1)
      body(document).delete(0, 1)
      if (i % 100 === 0) await document.flush()
    }
    await document.flush()
    await compacts(grid)
    expect(await textAt(grid)).toBe('kept')
  })

  it('with formats, embeds, lists, maps and XML within each other', async () => {
    const grid = await open(EAGER)
    const other = await open()
    const document = await other.doc('note')
    const { y } = document
    body(document).insert(0, 'plain bold')
    body(document).format(6, 4, { bold: true })
    body(document).insertEmbed(0, { image: 'a.png' })
    const list = new Y.Array<unknown>()
    y.getMap('map').set('list', list)
    y.getMap('map').set('gone', 1)
    y.getMap('map').delete('gone')
    list.push([1, { two: 2 }, new Y.Map([['three', 3]])])
    const element = new Y.XmlElement('p')
    element.setAttribute('class', 'x')
    element.insert(0, [new Y.XmlText('in XML')])
    y.getXmlFragment('page').insert(0, [element])
    await document.flush()
    const delta = body(document).toDelta() as unknown[]
    const [map, page] = [y.getMap('map').toJSON(), y.getXmlFragment('page').toJSON()]
    await expect.poll(async () => (await grid.doc('note')).y.getXmlFragment('page').length, WAIT).toBe(1)
    await typeAs(grid, 7)
    await compacts(grid)
    const again = (await grid.doc('note')).y
    expect(again.getMap('map').toJSON()).toEqual(map)
    expect(again.getXmlFragment('page').toJSON()).toEqual(page)
    expect(again.getText('body').toDelta()).toEqual(expect.arrayContaining(delta.slice(0, 2)))
  })
})

describe('an edit made without knowing of a new generation', () => {
  it('is rebased once, with its deletes and formats, also into nested types', async () => {
    const ada = await open(EAGER)
    const bob = await open()
    const there = await bob.doc('note')
    body(there).insert(0, 'hello world')
    there.y.getMap('map').set('list', new Y.Array())
    await expect.poll(() => textAt(ada), WAIT).toBe('hello world')
    await typeAs(ada, 2)
    await expect.poll(() => textOf(there), WAIT).toBe(`hello world${words(2)}`)
    grids.split([0], [1])
    await typeAs(ada, 7)
    body(there).delete(0, 6)
    body(there).insert(0, 'brave new ')
    body(there).format(10, 5, { bold: true })
    there.y
      .getMap<Y.Array<unknown>>('map')
      .get('list')!
      .push(['nested', new Y.Map([['key', 'value']])])
    await there.flush()
    await compacts(ada)
    const fresh = await ada.doc('note')
    body(fresh).insert(0, '> ')
    await fresh.flush()
    grids.heal()
    await expect.poll(() => there.endedBy?.code, WAIT).toBe('DOCUMENT_GENERATION')
    await expect.poll(() => textAt(bob), WAIT).toContain('brave new ')
    await expect.poll(() => textOf(fresh), WAIT).toBe(await textAt(bob))
    const text = textOf(fresh)
    for (const part of ['brave new ', 'world', '> ']) expect(text.split(part)).toHaveLength(2)
    expect(text).not.toContain('hello')
    expect(text.length).toBe(`brave new world> ${words(7)}${words(2)}`.length)
    expect(body(fresh).toDelta()).toContainEqual({ insert: 'world', attributes: { bold: true } })
    expect(fresh.y.getMap('map').toJSON()).toEqual({ list: ['nested', { key: 'value' }] })
  })

  it('is rebased after a restart, and only once however often both peers restart', async () => {
    const disks = [diskInMemory(), diskInMemory()] as const
    /** Both again, under the same peer ids. */
    const both = async (): Promise<{ hub: MemoryNetworkHub; ada: Grid; bob: Grid }> => {
      const hub = memoryNetworkHub()
      const [first, second] = [hub.network(), hub.network({ join: ['memory:peer-1'] })]
      const ada = await open(EAGER, { storage: disks[0], network: () => Promise.resolve(first) })
      const bob = await open(LAZY, { storage: disks[1], network: () => Promise.resolve(second) })
      return { hub, ada, bob }
    }
    let { hub, ada, bob } = await both()
    await typeAs(ada, 2)
    await expect.poll(() => textAt(bob), WAIT).toBe(words(2))
    hub.split(['peer-1'], ['peer-2'])
    const document = await bob.doc('note')
    body(document).insert(0, 'late ')
    await document.flush()
    await bob.close()
    await typeAs(ada, 7)
    await compacts(ada)
    await ada.close()
    for (let i = 0; i < 3; i++) {
      ;({ hub, ada, bob } = await both())
      await expect.poll(() => generationAt(bob), WAIT).toBe(generationAt(ada))
      await expect.poll(() => textAt(bob), WAIT).toBe(`late ${words(2)}${words(7)}`)
      await expect.poll(() => textAt(ada), WAIT).toBe(`late ${words(2)}${words(7)}`)
      await Promise.all([ada.close(), bob.close()])
    }
  })
})

it('of two new generations one becomes current, and edits made in the other one are rebased to it', async () => {
  const ada = await open(EAGER)
  const bob = await open(EAGER)
  await typeAs(ada, 3)
  await expect.poll(() => textAt(bob), WAIT).toBe(words(3))
  grids.split([0], [1])
  await typeAs(ada, 7)
  body(await bob.doc('note')).delete(0, 3)
  for (let i = 0; i < 7; i++) {
    const document = await bob.doc('note', { doc: new Y.Doc() })
    body(document).insert(0, `b${i} `)
    await document.close()
  }
  await Promise.all([compacts(ada), compacts(bob)])
  for (const [grid, said] of [
    [ada, 'from ada '],
    [bob, 'from bob '],
  ] as const) {
    const document = await grid.doc('note')
    body(document).delete(body(document).length - 3, 3)
    body(document).insert(3, said)
    await document.flush()
  }
  expect(generationAt(ada)).not.toBe(generationAt(bob))
  grids.heal()
  await expect.poll(() => generationAt(ada) === generationAt(bob), WAIT).toBe(true)
  const parts = ['from ada ', 'from bob ', ...Array.from({ length: 7 }, (_, i) => `b${i} `)]
  await expect
    .poll(async () => {
      const text = await textAt(ada)
      return parts.filter((part) => text.split(part).length !== 2)
    }, WAIT)
    .toEqual([])
  await expect.poll(async () => (await textAt(ada)) === (await textAt(bob)), WAIT).toBe(true)
  const text = await textAt(ada)
  for (let i = 3; i < 6; i++) expect(text.split(`w${i} `)).toHaveLength(2)
  expect(text.split('w0 ')).toHaveLength(2)
  expect(text).not.toContain('w6 ')
})

it('a document that was deleted meanwhile stays deleted, although it was compacted later', async () => {
  const ada = await open(EAGER)
  const bob = await open()
  await typeAs(ada, 2)
  await expect.poll(() => textAt(bob), WAIT).toBe(words(2))
  grids.split([0], [1])
  await bob.deleteDoc('note')
  await typeAs(ada, 7)
  await compacts(ada)
  grids.heal()
  await expect.poll(() => ada.docs(), WAIT).toEqual([])
  expect(await textAt(ada)).toBe('')
  expect(bob.docs()).toEqual([])
})

it('a generation is settled only when each member has had it for a while by its own report, and none is silent', async () => {
  const ada = await open({ ...EAGER, settledAfterMs: 2500 })
  const bob = await open()
  await typeAs(ada, 9)
  await compacts(ada)
  const number = generationAt(ada)
  const document = await ada.doc('note')
  const isSettled = (): boolean => ada.documents.table.lineOf('note').at(-1)!.settled
  const isReported = (): boolean => {
    const { converged, lags } = ada.status().collections.find(({ kind }) => kind === 'document')!
    return converged && lags.length > 0
  }
  await expect.poll(() => generationAt(bob), WAIT).toBe(number)
  await expect.poll(isReported, WAIT).toBe(true)
  grids.split([0], [1])
  await new Promise((resolve) => setTimeout(resolve, 5000))
  expect(isSettled()).toBe(false)
  expect(isReported()).toBe(true)
  grids.heal()
  await expect.poll(isSettled, WAIT).toBe(true)
  expect(document.endedBy).toBeUndefined()
})

it('the first generations of a document stay current where the row that settled them was lost', async () => {
  const ada = await open(EAGER)
  const member = await grids.openBareMember()
  const { table } = ada.documents
  const line = (): string =>
    table
      .lineOf('note')
      .map(({ settled }) => settled)
      .join()
  await typeAs(ada, 9)
  await compacts(ada)
  await ada.doc('note')
  await expect.poll(line, WAIT).toBe('true')
  ada.documents.limits = { ...EAGER, settledAfterMs: 600_000 }
  await typeAs(ada, 9)
  await compacts(ada)
  const [first] = table.lineOf('note')
  const unsettled = generationStart({ ...first!, settled: false })
  await member.publish(madeUpFrame('documents', table.partition.name.kind, [[first!.key, unsettled]]))
  await expect.poll(line, WAIT).toBe('false,false')
  ada.documents.limits = EAGER
  await ada.doc('note')
  await expect.poll(() => table.startsOf('note').some(({ settled }) => settled), WAIT).toBe(true)
  await expect
    .poll(() => table.rowsOf('note').every(({ parts }) => parts.generation === generationAt(ada)), WAIT)
    .toBe(true)
  expect(line()).toBe('true,true')
  expect(await textAt(ada)).toBe(words(9) + words(9))
})

describe('edits of somebody who was never met', () => {
  /** Two peers that do not know of each other, and what brings them together. `warn` gets the warnings of the first. */
  async function strangers(
    warn: (message: string) => void = silent,
  ): Promise<{ ada: Grid; bob: Grid; meet: () => void }> {
    const hub = memoryNetworkHub()
    const [first, second] = [hub.network(), hub.network({ join: ['memory:peer-1'] })]
    hub.split(['peer-1'], ['peer-2'])
    const logger = { debug: silent, info: silent, error: silent, warn }
    const ada = await open(EAGER, { logger, network: () => Promise.resolve(first) })
    const bob = await open(LAZY, { network: () => Promise.resolve(second) })
    return { ada, bob, meet: () => hub.heal() }
  }

  async function settles(grid: Grid): Promise<void> {
    await typeAs(grid, 9)
    await compacts(grid)
    await grid.doc('note')
    await expect.poll(() => grid.documents.table.lineOf('note').at(-1)?.settled, WAIT).toBe(true)
  }

  it('come along when the generation is settled', async () => {
    const { ada, bob, meet } = await strangers()
    const document = await bob.doc('note')
    body(document).insert(0, 'from bob ')
    body(document).insert(5, 'dear ')
    body(document).delete(0, 5)
    await document.flush()
    await settles(ada)
    meet()
    for (const grid of [ada, bob]) {
      await expect.poll(async () => (await textAt(grid)).length, WAIT).toBe(`dear bob ${words(9)}`.length)
      expect(await textAt(grid)).toContain('dear bob ')
    }
    await expect.poll(async () => (await textAt(ada)) === (await textAt(bob)), WAIT).toBe(true)
  })

  it('are reported to their author when another generation is settled since', async () => {
    const warned: string[] = []
    const { ada, bob, meet } = await strangers((message) => warned.push(message))
    const document = await bob.doc('note')
    const reported: string[] = []
    document.on('refused', ({ error, update }) => {
      const y = new Y.Doc()
      if (update !== undefined) Y.applyUpdate(y, update)
      reported.push(`${error.code} ${textOf({ y })}`)
    })
    body(document).insert(0, 'from bob ')
    await document.flush()
    await settles(ada)
    await settles(ada)
    meet()
    await expect.poll(() => reported, WAIT).toEqual(['DOCUMENT_GENERATION from bob '])
    await ada.doc('note')
    await expect.poll(() => warned.filter((message) => message.includes('only their author')), WAIT).toHaveLength(1)
    expect(document.endedBy?.code).toBe('DOCUMENT_GENERATION')
    expect(await textAt(bob)).toBe(await textAt(ada))
  })

  it('are reported with what they came to when both sides have settled a generation, and one of these becomes current', async () => {
    const { ada, bob, meet } = await strangers()
    bob.documents.limits = EAGER
    const reported: string[] = []
    const documents: GridDocument[] = []
    for (const [grid, said] of [
      [ada, 'from ada '],
      [bob, 'from bob '],
    ] as const) {
      const document = await grid.doc('note')
      body(document).insert(0, said)
      await document.flush()
      await settles(grid)
      const open = await grid.doc('note')
      documents.push(open)
      open.on('refused', ({ error, update }) => {
        const y = new Y.Doc()
        if (update !== undefined) Y.applyUpdate(y, update)
        reported.push(`${error.code} ${textOf({ y })}`)
      })
    }
    const texts = documents.map(textOf)
    expect(texts).toEqual([`from ada ${words(9)}`, `from bob ${words(9)}`])
    meet()
    await expect.poll(() => reported.length, WAIT).toBe(1)
    const lost = texts.filter((text) => reported[0] === `DOCUMENT_GENERATION ${text}`)
    expect(lost).toHaveLength(1)
    const [kept] = texts.filter((text) => text !== lost[0])
    for (const grid of [ada, bob]) await expect.poll(() => textAt(grid), WAIT).toBe(kept)
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(reported).toHaveLength(1)
  })

  it('stay hidden with a warning until their author learns which of them cannot be rebased', async () => {
    const disk = diskInMemory()
    const hub = memoryNetworkHub()
    const connected = (join: string[]): Partial<OpenGridOptions> => {
      const network = hub.network({ join })
      return { network: () => Promise.resolve(network) }
    }
    let ada = await open(LAZY, { storage: disk, ...connected([]) })
    const bob = await open(LAZY, connected(['memory:peer-1']))
    const document = await bob.doc('note')
    body(document).insert(0, 'abc')
    await expect.poll(() => textAt(ada), WAIT).toBe('abc')
    await ada.close()
    body(document).insert(3, 'late')
    await document.flush()
    const carl = await open(LAZY, connected(['memory:peer-2']))
    await expect.poll(() => textAt(carl), WAIT).toBe('abclate')
    await bob.close()
    // It has met no peer since it was opened.
    const warnings: string[] = []
    const warn = (message: string): void => {
      if (message.includes('hidden')) warnings.push(message)
    }
    const logger = { debug: silent, info: silent, error: silent, warn }
    hub.split(['peer-3'], ['peer-4'])
    ada = await open(EAGER, { storage: disk, logger, ...connected(['memory:peer-3']) })
    body(await ada.doc('note')).delete(0, 3)
    await settles(ada)
    expect(warnings).toEqual([])
    hub.heal()
    await expect.poll(() => warnings, WAIT).toEqual([expect.stringContaining("edits of another peer in 'note'")])
    for (const grid of [ada, carl]) await expect.poll(() => textAt(grid), WAIT).toBe(words(9))
  })

  it('are not reported when they were rebased; nor is the first content of a generation that did not become current', async () => {
    const { ada, bob, meet } = await strangers()
    bob.documents.limits = { ...EAGER, settledAfterMs: 600_000 }
    await typeAs(bob, 9)
    await compacts(bob)
    await typeAs(bob, 1)
    bob.documents.limits = LAZY
    await settles(ada)
    meet()
    await expect.poll(async () => (await textAt(ada)).length, WAIT).toBe(`${words(9)}${words(9)}${words(1)}`.length)
    await settles(ada)
    await expect.poll(() => generationAt(bob), WAIT).toBe(generationAt(ada))
    const reported: string[] = []
    const document = await bob.doc('note')
    document.on('refused', ({ error }) => reported.push(error.message))
    const oldRows = (): unknown[] =>
      bob.documents.table.rowsOf('note').filter(({ own, parts }) => own && parts.generation !== generationAt(bob))
    await expect.poll(oldRows, { timeout: 10_000 }).toEqual([])
    expect(reported).toEqual([])
  })
})
