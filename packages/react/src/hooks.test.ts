import { build } from 'esbuild'
import { gzipSync } from 'node:zlib'
import { fileURLToPath } from 'node:url'
import { Window } from 'happy-dom'
import { Component, StrictMode, Suspense, act, createElement } from 'react'
import type { ReactElement, ReactNode } from 'react'
import { renderToString } from 'react-dom/server'
import { openGrid } from 'gossipgrid'
import type { Grid } from 'gossipgrid'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  GridProvider,
  useCounter,
  useDoc,
  useEntry,
  useGrid,
  useMap,
  usePresence,
  useQuery,
  useSet,
  useStatus,
} from './index.ts'

const globals = globalThis as unknown as Record<string, unknown>
let window: Window
let grid: Grid
let root: { render(element: ReactElement): void; unmount(): void }
let grids = 0

beforeAll(() => {
  window = new Window()
  globals['window'] = window
  globals['document'] = window.document
  globals['IS_REACT_ACT_ENVIRONMENT'] = true
  // The grid takes this for a page, and follows its life.
  globals['addEventListener'] = () => undefined
  globals['removeEventListener'] = () => undefined
})

afterAll(async () => {
  await window.happyDOM.close()
  for (const name of ['window', 'document', 'addEventListener', 'removeEventListener']) delete globals[name]
})

beforeEach(async () => {
  grid = await openGrid({ name: `react ${++grids}`, listen: [], mdns: false, logger: silent })
  const { createRoot } = await import('react-dom/client')
  root = createRoot(window.document.body as never)
})

afterEach(async () => {
  await act(async () => root.unmount())
  await grid.close()
})

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

interface Task {
  title: string
  rank: number
}

/** Renders what a hook gives, as JSON, in strict mode. */
async function shown(use: () => unknown, given: Grid | PromiseLike<Grid> | undefined = grid): Promise<() => unknown> {
  const Shown = (): ReactElement => createElement('p', {}, JSON.stringify(use()) ?? 'undefined')
  const tree = createElement(StrictMode, {}, createElement(GridProvider, { grid: given }, createElement(Shown)))
  await act(async () => root.render(tree))
  return () => {
    const text = window.document.body.textContent
    return text === 'undefined' ? undefined : JSON.parse(text)
  }
}

const write = (call: () => unknown): Promise<void> => act(async () => void (await call()))

describe('with a grid, in strict mode', () => {
  it('useEntry shows one entry, writes it, and renders only when it changes', async () => {
    const tasks = grid.map<Task>('tasks')
    await tasks.set('a', { title: 'a', rank: 1 })
    let renders = 0
    let set: ReturnType<typeof useEntry<Task>>[1]
    const now = await shown(() => {
      renders += 1
      const [value, setValue] = useEntry<Task>('tasks', 'a')
      set = setValue
      return value?.rank ?? 'none'
    })
    expect(now()).toBe(1)
    const before = renders
    await write(() => tasks.set('other', { title: 'x', rank: 9 }))
    expect(renders).toBe(before)
    await write(() => set({ title: 'a', rank: 2 }))
    expect([now(), tasks.peek('a')?.rank]).toEqual([2, 2])
    await write(() => set(undefined))
    expect([now(), tasks.peek('a')]).toEqual(['none', undefined])
  })

  it('useQuery follows the map, begins again only when the query says something else, and closes its query', async () => {
    const tasks = grid.map<Task>('tasks')
    await tasks.set('a', { title: 'a', rank: 3 })
    let live = 0
    const open = tasks.live.bind(tasks)
    tasks.live = async (query) => {
      live += 1
      const opened = await open(query)
      const close = opened.close
      Object.assign(opened, { close: () => ((live -= 1), close()) })
      return opened
    }
    let min = 2
    const use = (): unknown => {
      const { rows, ready } = useQuery<Task>('tasks', { where: { rank: { $gte: min } }, orderBy: '-rank' })
      return [ready, ...rows.map(({ key }) => key)]
    }
    const now = await shown(use)
    await expect.poll(() => act(async () => now())).toEqual([true, 'a'])
    await write(() => tasks.set('b', { title: 'b', rank: 5 }))
    expect(now()).toEqual([true, 'b', 'a'])
    expect(live).toBe(1)
    min = 4
    await act(async () => void (await shown(use)))
    await expect.poll(() => act(async () => now())).toEqual([true, 'b'])
    await expect.poll(() => live).toBe(1)
    await act(async () => root.render(createElement('p')))
    await expect.poll(() => live).toBe(0)
  })

  it('useQuery of a map gives rows with the fields that are selected, and with their types', async () => {
    const tasks = grid.map<Task>('tasks')
    await tasks.set('a', { title: 'tea', rank: 3 })
    const now = await shown(() => {
      const { rows } = useQuery(useMap<Task>('tasks'), { where: { rank: 3 }, select: ['title'] })
      const { rows: named } = useQuery<Task, 'rank'>('tasks', { select: 'rank' })
      const { rows: whole } = useQuery(tasks, { orderBy: 'rank' })
      // @ts-expect-error the rank is not selected
      void rows[0]?.value.rank
      // @ts-expect-error there is no such field
      void useQuery(tasks, { select: 'name' })
      return [rows[0]?.value.title, rows[0]?.value, named[0]?.value.rank, whole[0]?.value]
    })
    const expected = ['tea', { title: 'tea' }, 3, { title: 'tea', rank: 3 }]
    await expect.poll(() => act(async () => now())).toEqual(expected)
    await write(() => tasks.set('a', { title: 'milk', rank: 3 }))
    expect(now()).toEqual(['milk', { title: 'milk' }, 3, { title: 'milk', rank: 3 }])
  })

  it('useQuery follows a partitioned map, and says when rows may be missing', async () => {
    const tasks = grid.map<Task>('parts', { mode: 'partitioned' })
    await tasks.set('a', { title: 'tea', rank: 3 })
    const live = await tasks.live()
    let isComplete = true
    Object.defineProperty(live, 'complete', { get: () => isComplete })
    tasks.live = async () => live as never
    const now = await shown(() => {
      const { rows, complete } = useQuery(tasks)
      return [complete, ...rows.map(({ value }) => value.title)]
    })
    await expect.poll(() => act(async () => now())).toEqual([true, 'tea'])
    isComplete = false
    await act(async () => live.announce())
    expect(now()).toEqual([false, 'tea'])
  })

  it('useQuery takes no two queries for one, also where JSON would be the same', async () => {
    await grid.map('tasks').set('a', { at: new Date(5), n: 5n, bytes: Uint8Array.of(1), list: ['bigint', '5'] })
    const circle: Record<string, unknown> = {}
    circle['where'] = circle
    const queries: readonly [string, unknown][] = [
      ['all', {}],
      ['function', { where: { at: () => 1 } }],
      ['undefined', { where: { at: undefined } }],
      ['pattern', { where: { at: /x/ } }],
      ['date', { where: { at: new Date(5) } }],
      ['no date', { where: { at: 5 } }],
      ['bigint', { where: { n: 5n } }],
      ['list', { where: { n: ['bigint', '5'] } }],
      ['bytes', { where: { bytes: Uint8Array.of(1) } }],
      ['circle', circle],
    ]
    const now = await shown(() =>
      queries.map(([name, query]) => {
        const { rows, error } = useQuery('tasks', query as never)
        return `${name}: ${error === undefined ? rows.length : (error as { code?: string }).code}`
      }),
    )
    const invalid = 'INVALID_QUERY'
    await expect
      .poll(() => act(async () => now()))
      .toEqual([
        ...['all: 1', `function: ${invalid}`, `undefined: ${invalid}`, `pattern: ${invalid}`, 'date: 1', 'no date: 0'],
        ...['bigint: 1', 'list: 0', 'bytes: 1', `circle: ${invalid}`],
      ])
  })

  it('useQuery gives the error of a query that is none', async () => {
    const now = await shown(() => useQuery('tasks', { where: { a: { $near: 1 } } as never }).error?.message ?? 'none')
    await expect.poll(() => act(async () => now())).toMatch(/^where\.a\.\$near/)
  })

  it('useQuery can suspend its component until there are rows', async () => {
    const tasks = grid.map<Task>('tasks')
    await tasks.set('a', { title: 'a', rank: 3 })
    const seen: string[] = []
    const Rows = (): ReactElement => {
      const { rows, ready } = useQuery<Task>('tasks', { orderBy: 'rank' }, { suspense: true })
      seen.push(`${ready} ${rows.length}`)
      return createElement('p', {}, rows.map(({ key }) => key).join())
    }
    const waiting = createElement(Suspense, { fallback: 'waiting' }, createElement(Rows))
    await act(async () => root.render(createElement(GridProvider, { grid }, waiting)))
    await expect.poll(() => act(async () => window.document.body.textContent)).toBe('a')
    expect(new Set(seen)).toEqual(new Set(['true 1']))
  })

  it('useCounter, useSet and usePresence show and change what they are of', async () => {
    let calls: (() => unknown)[] = []
    const now = await shown(() => {
      const [count, add] = useCounter('visits')
      const [tags, set] = useSet<string>('tags')
      const [states, setState] = usePresence<{ name: string }>()
      calls = [() => add(3), () => add(-1), () => set?.add('red'), () => setState({ name: 'Ada' })]
      return [count, tags, states.map(([, state]) => state.name)]
    })
    expect(now()).toEqual([0, [], []])
    for (const call of calls) await write(call)
    expect(now()).toEqual([2, ['red'], ['Ada']])
    await write(() => grid.set<string>('tags').delete('red'))
    expect(now()).toEqual([2, [], ['Ada']])
  })

  it('useDoc opens a document, and closes it when the component goes', async () => {
    const now = await shown(() => useDoc('notes')[0]?.name ?? 'none')
    await expect.poll(() => act(async () => now())).toBe('notes')
    const document = await grid.doc('notes')
    let isClosed = false
    document.on('close', () => (isClosed = true))
    await document.close()
    await act(async () => root.render(createElement('p')))
    await expect.poll(() => isClosed).toBe(true)
  })

  it('useDoc says why a document cannot be opened', async () => {
    const now = await shown(() => useDoc('')[1]?.message ?? 'none')
    await expect.poll(() => act(async () => now())).toMatch(/name/)
  })

  it('useStatus says whether the peer is connected, and whether the grid is open', async () => {
    const now = await shown(() => {
      const { open, online, peers, state } = useStatus()
      return [open, online, peers, state]
    })
    expect(now()).toEqual([true, true, 0, 'alone'])
    await write(() => grid.disconnect())
    expect((now() as unknown[]).slice(0, 2)).toEqual([true, false])
    await write(() => grid.close())
    expect((now() as unknown[]).slice(0, 2)).toEqual([false, false])
  })
})

/** Shows the message of an error below it. */
class Boundary extends Component<{ readonly children?: ReactNode }, { readonly message?: string }> {
  override state: { readonly message?: string } = {}
  static getDerivedStateFromError = ({ message }: Error): { message: string } => ({ message })
  override render(): ReactNode {
    return this.state.message ?? this.props.children
  }
}

it('a grid that cannot be opened is an error for the boundary above the provider', async () => {
  const failed = Promise.reject(new Error('no address to join'))
  const provider = createElement(GridProvider, { grid: failed }, createElement('p', {}, 'opening'))
  await act(async () => root.render(createElement(StrictMode, {}, createElement(Boundary, {}, provider))))
  expect(window.document.body.textContent).toBe('no address to join')
})

describe('without a grid', () => {
  const use = (): unknown => {
    const [entry] = useEntry('tasks', 'a')
    const { rows, ready } = useQuery('tasks', {}, { suspense: true })
    const [count] = useCounter('visits')
    return [
      useGrid() !== undefined,
      entry ?? null,
      rows.length,
      ready,
      count,
      useSet('tags')[0].length,
      useStatus().open,
    ]
  }
  const EMPTY = [false, null, 0, false, 0, 0, false]

  it('hooks are empty, and fill when the promise of the grid resolves', async () => {
    const opening = Promise.withResolvers<Grid>()
    const now = await shown(() => [useGrid() !== undefined, useCounter('visits')[0]], opening.promise)
    expect(now()).toEqual([false, 0])
    await grid.counter('visits').increment(4)
    await act(async () => opening.resolve(grid))
    expect(now()).toEqual([true, 4])
  })

  it('a write rejects, since it would be lost', async () => {
    let set: ReturnType<typeof useEntry>[1] | undefined
    let add: ReturnType<typeof useCounter>[1] | undefined
    const Writes = (): ReactElement => {
      set = useEntry('tasks', 'a')[1]
      add = useCounter('visits')[1]
      return createElement('p')
    }
    await act(async () => root.render(createElement(GridProvider, { grid: undefined }, createElement(Writes))))
    await expect(set!(1)).rejects.toThrow(/there is no grid yet/)
    await expect(add!()).rejects.toThrow(/there is no grid yet/)
  })

  it.each(['nothing', 'a grid'])('a server renders the empty state, with %s', async (given) => {
    const { document } = globals
    delete globals['document']
    const Shown = (): ReactElement => createElement('p', {}, JSON.stringify(use()))
    const provided = createElement(GridProvider, { grid: given === 'nothing' ? undefined : grid }, createElement(Shown))
    const html = renderToString(provided).replaceAll('&quot;', '"')
    globals['document'] = document
    const isThere = given !== 'nothing'
    expect(html).toBe(`<p>${JSON.stringify([isThere, ...EMPTY.slice(1)])}</p>`)
  })
})

it('takes at most 3 kB of a page, beside React', async () => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('index.ts', import.meta.url))],
    ...{ bundle: true, minify: true, write: false, format: 'esm', target: 'es2024', external: ['react', 'gossipgrid'] },
  })
  const bytes = gzipSync(outputFiles[0]!.contents).length
  console.log(`@gossipgrid/react: ${bytes} bytes`)
  expect(bytes).toBeLessThanOrEqual(3000)
})
