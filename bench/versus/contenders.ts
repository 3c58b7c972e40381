import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type * as Gossipgrid from 'gossipgrid'
import { benchLogger } from '../bench-logger.ts'
import type { Contender, Copy, Load } from './contender.ts'
import { HEAVY_CONTENDERS } from './heavy-contenders.ts'

/** Parts of the libraries that are used here. They are not installed in this repository, so their own types are not at hand. */
type Class<Instance> = new (...options: unknown[]) => Instance
interface YMap {
  readonly size: number
  get(key: string): unknown
  set(key: string, value: string): void
  observe(
    listener: (event: { readonly keysChanged: Set<string>; readonly transaction: { readonly local: boolean } }) => void,
  ): void
}
interface YDoc {
  getMap(name: string): YMap
}
interface Connection {
  connect(): unknown
  disconnect(): void
}
interface SocketServer {
  readonly on: (event: 'connection', listener: (socket: unknown, request: unknown) => void) => void
}

const HOST = '127.0.0.1'
/** Longer than any contender needs on a busy machine. */
const SYNCED_MAX_MS = 30_000

const hocuspocus: Contender = {
  name: 'Hocuspocus',
  packages: ['@hocuspocus/server', '@hocuspocus/provider', 'yjs@13', 'ws'],
  modules: ['@hocuspocus/provider', 'yjs', 'ws'],
  shown: '@hocuspocus/server',
  heals: true,
  remark:
    'Yjs documents through a server. Nothing goes on without the server; the larger client id wins, not the later write.',
  relay: async (load) => {
    const { Server } = (await load('@hocuspocus/server')) as unknown as {
      Server: Class<{ listen(): Promise<unknown>; readonly webSocketURL: string; readonly address: AddressInfo }>
    }
    const server = new Server({ port: 0, address: HOST, quiet: true, stopOnSignals: false })
    await server.listen()
    return `ws://${HOST}:${server.address.port}`
  },
  open: async (load, url) => {
    const { HocuspocusProvider, HocuspocusProviderWebsocket } = (await load('@hocuspocus/provider')) as unknown as {
      HocuspocusProvider: Class<{ readonly synced: boolean; attach(): void }>
      HocuspocusProviderWebsocket: Class<Connection>
    }
    const document = await newDocument(load)
    const { WebSocket } = (await load('ws')) as unknown as { WebSocket: unknown }
    const websocketProvider = new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: WebSocket })
    const provider = new HocuspocusProvider({ websocketProvider, name: 'users', document })
    provider.attach()
    await until(() => provider.synced)
    return yjsCopy(document, websocketProvider)
  },
}

const yWebsocket: Contender = {
  name: 'y-websocket 2',
  packages: ['y-websocket@2', 'yjs@13', 'ws'],
  modules: ['y-websocket', 'yjs', 'ws'],
  shown: 'y-websocket',
  heals: true,
  remark: 'Yjs documents through a server, like Hocuspocus.',
  relay: async (load) => {
    const { setupWSConnection } = (await load('y-websocket/bin/utils')) as unknown as {
      setupWSConnection(socket: unknown, request: unknown): void
    }
    return socketRelay(load, (server) => server.on('connection', setupWSConnection))
  },
  open: async (load, url) => {
    const { WebsocketProvider } = (await load('y-websocket')) as unknown as {
      WebsocketProvider: Class<Connection & { readonly synced: boolean }>
    }
    const { WebSocket } = (await load('ws')) as unknown as { WebSocket: unknown }
    const document = await newDocument(load)
    const provider = new WebsocketProvider(url, 'users', document, { WebSocketPolyfill: WebSocket, disableBc: true })
    await until(() => provider.synced)
    return yjsCopy(document, provider)
  },
}

const tinyBase: Contender = {
  name: 'TinyBase',
  packages: ['tinybase', 'ws'],
  modules: ['tinybase', 'tinybase/synchronizers/synchronizer-ws-client', 'ws'],
  shown: 'tinybase',
  heals: true,
  remark:
    'A reactive store, merged through a relay that keeps nothing here. Cells and rows, no expiry; nothing goes on without the relay.',
  relay: async (load) => {
    const { createWsServer } = (await load('tinybase/synchronizers/synchronizer-ws-server')) as unknown as {
      createWsServer(server: SocketServer): unknown
    }
    return socketRelay(load, (server) => createWsServer(server))
  },
  open: async (load, url) => {
    interface Store {
      setCell(table: string, row: string, cell: string, value: string): void
      getCell(table: string, row: string, cell: string): unknown
      getRowCount(table: string): number
      addCellListener(
        table: string,
        row: null,
        cell: string,
        listener: (store: unknown, table: string, row: string) => void,
      ): void
    }
    interface Synchronizer {
      startSync(): Promise<unknown>
      destroy(): Promise<unknown>
    }
    const { createMergeableStore } = (await load('tinybase')) as unknown as { createMergeableStore(): Store }
    const { createWsSynchronizer } = (await load('tinybase/synchronizers/synchronizer-ws-client')) as unknown as {
      createWsSynchronizer(store: Store, socket: unknown): Promise<Synchronizer>
    }
    const { WebSocket } = (await load('ws')) as unknown as { WebSocket: Class<unknown> }
    const store = createMergeableStore()
    const connect = async (): Promise<Synchronizer> => {
      const made = await createWsSynchronizer(store, new WebSocket(`${url}/users`))
      await made.startSync()
      return made
    }
    let synchronizer = await connect()
    const own = new Set<string>()
    return {
      address: '',
      set: (key, value) => {
        own.add(key)
        store.setCell('users', key, 'value', value)
        own.delete(key)
      },
      get: (key) => store.getCell('users', key, 'value'),
      size: () => store.getRowCount('users'),
      onChange: (listener) =>
        store.addCellListener('users', null, 'value', (_, __, key) => {
          if (!own.has(key)) listener(key)
        }),
      disconnect: async () => void (await synchronizer.destroy()),
      reconnect: async () => void (synchronizer = await connect()),
    }
  },
}

const gun: Contender = {
  name: 'Gun',
  packages: ['gun'],
  modules: ['gun'],
  shown: 'gun',
  heals: false,
  remark:
    'A graph through a relay. What one side wrote while it was disconnected never reaches the other after it has reconnected.',
  relay: async (load) => {
    const { default: Gun } = (await load('gun')) as unknown as { default: (options: object) => unknown }
    const web = createServer()
    await new Promise<void>((resolve) => web.listen(0, HOST, resolve))
    Gun({ web, ...IN_MEMORY })
    return `http://${HOST}:${(web.address() as AddressInfo).port}/gun`
  },
  open: async (load, url) => {
    interface Node {
      get(key: string): Node
      map(): Node
      put(value: string): void
      on(listener: (value: unknown, key: string) => void): void
      opt(options: object): void
      on(event: 'bye', peer: unknown): void
    }
    const { default: Gun } = (await load('gun')) as unknown as { default: (options: object) => Node }
    const node = Gun({ peers: [url], ...IN_MEMORY })
    const users = node.get('users')
    const values = new Map<string, unknown>()
    const own = new Map<string, string>()
    const listeners: ((key: string) => void)[] = []
    users.map().on((value, key) => {
      if (values.get(key) === value) return
      values.set(key, value)
      if (own.get(key) !== value) for (const listener of listeners) listener(key)
    })
    return {
      address: '',
      set: (key, value) => {
        own.set(key, value)
        users.get(key).put(value)
      },
      get: (key) => values.get(key),
      size: () => values.size,
      onChange: (listener) => void listeners.push(listener),
      disconnect: () => Promise.reject(new Error('not measured')),
      reconnect: () => Promise.reject(new Error('not measured')),
    }
  },
}

const gossipgrid: Contender = {
  name: 'gossipgrid',
  packages: [],
  modules: ['gossipgrid'],
  shown: '',
  heals: true,
  remark: 'No server and no relay: the two programs are all there is.',
  open: async (load, address) => {
    const { libp2pNetwork, openGrid } = (await load('gossipgrid')) as unknown as typeof Gossipgrid
    let network: Awaited<ReturnType<typeof libp2pNetwork>> | undefined
    const grid = await openGrid({
      name: 'versus',
      secret: 'of this bench only',
      listen: [`/ip4/${HOST}/tcp/0`],
      join: address === '' ? [] : [address],
      mdns: false,
      network: async (options) => (network = await libp2pNetwork(options)),
      logger: benchLogger,
    })
    const map = grid.map<string>('users')
    await grid.ready()
    return {
      address: grid.addresses[0]!,
      set: (key, value) => void map.set(key, value),
      get: (key) => map.peek(key),
      size: () => map.size,
      onChange: (listener) => void map.on('change', ({ key, local }) => local || listener(key)),
      disconnect: async () => network?.block(network.neighbours()),
      reconnect: async () => network?.unblock(),
    }
  },
}

/** In the order of the table. */
export const CONTENDERS: readonly Contender[] = [gossipgrid, hocuspocus, yWebsocket, tinyBase, gun]

export const ALL_CONTENDERS: readonly Contender[] = [...CONTENDERS, ...HEAVY_CONTENDERS]

const IN_MEMORY = { radisk: false, localStorage: false, multicast: false, axe: false, file: false }

async function newDocument(load: Load): Promise<YDoc> {
  const { Doc } = (await load('yjs')) as unknown as { Doc: Class<YDoc> }
  return new Doc()
}

function yjsCopy(document: YDoc, connection: Connection): Copy {
  const map = document.getMap('users')
  return {
    address: '',
    set: (key, value) => map.set(key, value),
    get: (key) => map.get(key),
    size: () => map.size,
    onChange: (listener) =>
      map.observe(({ keysChanged, transaction }) => {
        if (!transaction.local) for (const key of keysChanged) listener(key)
      }),
    disconnect: async () => connection.disconnect(),
    reconnect: async () => void connection.connect(),
  }
}

/** A WebSocket server, and its address. */
async function socketRelay(load: Load, use: (server: SocketServer) => unknown): Promise<string> {
  const { WebSocketServer } = (await load('ws')) as unknown as {
    WebSocketServer: Class<SocketServer & { address(): AddressInfo; once(event: string, call: () => void): void }>
  }
  const server = new WebSocketServer({ port: 0, host: HOST })
  use(server)
  await new Promise<void>((resolve) => server.once('listening', resolve))
  return `ws://${HOST}:${server.address().port}`
}

async function until(reached: () => boolean): Promise<void> {
  const startMs = performance.now()
  while (!reached()) {
    if (performance.now() - startMs > SYNCED_MAX_MS) throw new Error('not synced in time')
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}
