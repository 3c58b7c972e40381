import { mkdtemp } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Contender, Copy } from './contender.ts'

/** Parts of the libraries that are used here. They are not installed in this repository, so their own types are not at hand. */
type Class<Instance> = new (...options: unknown[]) => Instance
type Make = (options?: unknown) => unknown

const LISTEN = '/ip4/127.0.0.1/tcp/0'
/** A count of all entries takes these libraries longer than one write. */
const COUNT_GAP_MS = 100
/** To look for entries that were not reported takes as long, so it is done when no more are reported. */
const SCAN_AFTER_MS = 200
/** What they write in a few seconds. */
const ENTRIES = 1000
const FEWER = 'It shares 1,000 entries in place of 10,000, which would take minutes.'

interface Libp2p {
  getMultiaddrs(): readonly { toString(): string }[]
  getPeers(): readonly unknown[]
  hangUp(peer: unknown): Promise<void>
  dial(address: unknown): Promise<unknown>
}

const orbitdb: Contender = {
  name: 'OrbitDB',
  packages: [
    '@orbitdb/core@4',
    'helia@6',
    'blockstore-core',
    'libp2p@3',
    '@libp2p/tcp',
    '@chainsafe/libp2p-noise',
    '@chainsafe/libp2p-yamux',
    '@libp2p/identify',
    '@libp2p/gossipsub',
    '@multiformats/multiaddr',
  ],
  modules: ['@orbitdb/core', 'helia', 'libp2p', '@libp2p/gossipsub'],
  shown: '@orbitdb/core',
  heals: true,
  entries: ENTRIES,
  remark: `A signed log in IPFS blocks, here in memory, without a server. ${FEWER}`,
  open: async (load, address) => {
    interface Database {
      readonly address: string
      readonly events: {
        on(event: 'update', listener: (entry: { hash: string; payload: { key: string } }) => void): void
      }
      put(key: string, value: string): Promise<unknown>
      get(key: string): Promise<unknown>
      all(): Promise<readonly { readonly key: string; readonly hash: string }[]>
    }
    interface OrbitDB {
      open(name: string, options: object): Promise<Database>
    }
    const made = async (module: string, name: string, options?: unknown): Promise<unknown> =>
      ((await load(module))[name] as unknown as Make)(options)
    const libp2p = (await made('libp2p', 'createLibp2p', {
      addresses: { listen: [LISTEN] },
      transports: [await made('@libp2p/tcp', 'tcp')],
      connectionEncrypters: [await made('@chainsafe/libp2p-noise', 'noise')],
      streamMuxers: [await made('@chainsafe/libp2p-yamux', 'yamux')],
      services: {
        identify: await made('@libp2p/identify', 'identify'),
        pubsub: await made('@libp2p/gossipsub', 'gossipsub', { allowPublishToZeroTopicPeers: true }),
      },
    })) as Libp2p
    const { MemoryBlockstore } = (await load('blockstore-core')) as unknown as { MemoryBlockstore: Class<unknown> }
    const ipfs = await made('helia', 'createHelia', { libp2p, blockstore: new MemoryBlockstore() })
    // Beside the compiled program, with which it is removed.
    const directory = await mkdtemp(fileURLToPath(new URL('orbitdb-', import.meta.url)))
    const store = (await made('@orbitdb/core', 'createOrbitDB', { ipfs, directory })) as OrbitDB
    const [peer = '', name = 'users'] = address.split(' ')
    const dialled = await made('@multiformats/multiaddr', 'multiaddr', peer === '' ? LISTEN : peer)
    if (peer !== '') await libp2p.dial(dialled)
    const AccessController = await made('@orbitdb/core', 'IPFSAccessController', { write: ['*'] })
    const database = await store.open(name, { type: 'keyvalue', AccessController })
    const listeners: ((key: string) => void)[] = []
    const seen = new Map<string, string>()
    const own = new Map<string, string>()
    const count = counted(async () => {
      const all = await database.all()
      for (const { key, hash } of all) {
        if (seen.get(key) === hash) continue
        seen.set(key, hash)
        if (!own.has(key)) for (const listener of listeners) listener(key)
      }
      return all.length
    })
    let scan: ReturnType<typeof setTimeout> | undefined
    // It reports the last of several entries that arrive together, so the others have to be looked for.
    database.events.on('update', ({ hash, payload: { key } }) => {
      if (!own.has(key) && seen.get(key) !== hash) {
        seen.set(key, hash)
        for (const listener of listeners) listener(key)
      }
      clearTimeout(scan)
      scan = setTimeout(count, SCAN_AFTER_MS)
    })
    return {
      address: `${String(libp2p.getMultiaddrs()[0])} ${database.address}`,
      set: (key, value) => {
        own.set(key, value)
        void database.put(key, value)
      },
      get: (key) => database.get(key),
      size: count,
      onChange: (listener) => void listeners.push(listener),
      ...connectionOf(libp2p, () => libp2p.dial(dialled)),
    }
  },
}

const peerbit: Contender = {
  name: 'Peerbit',
  packages: [
    'peerbit@5',
    '@peerbit/program',
    '@peerbit/document',
    '@peerbit/indexer-simple',
    '@dao-xyz/borsh',
    '@multiformats/multiaddr',
  ],
  modules: ['peerbit', '@peerbit/program', '@peerbit/document', '@dao-xyz/borsh'],
  shown: 'peerbit',
  heals: true,
  entries: ENTRIES,
  remark: `Documents on a few peers each, or on all, as here, without a server. Its index is in memory. ${FEWER}`,
  open: async (load, address) => {
    interface Documents {
      readonly events: {
        addEventListener(
          type: 'change',
          listener: (event: { detail: { added: readonly { id: string }[] } }) => void,
        ): void
      }
      readonly index: { getSize(): Promise<number> | number; get(id: string): Promise<unknown> }
      open(options: object): Promise<void>
      put(document: object): Promise<unknown>
    }
    interface Client {
      readonly libp2p: Libp2p
      dial(address: string): Promise<unknown>
      open<Opened>(program: Opened, options: object): Promise<Opened>
      getMultiaddrs(): readonly { toString(): string }[]
    }
    const { Peerbit } = (await load('peerbit')) as unknown as { Peerbit: { create(options: object): Promise<Client> } }
    const { Program } = (await load('@peerbit/program')) as unknown as { Program: Class<object> }
    const { Documents } = (await load('@peerbit/document')) as unknown as { Documents: Class<Documents> }
    const { field, variant } = (await load('@dao-xyz/borsh')) as unknown as {
      field(options: object): (prototype: object, name: string) => void
      variant(name: string | number): (type: unknown) => void
    }
    const { create: indexer } = await load('@peerbit/indexer-simple')
    class Entry {
      readonly id: string
      readonly text: string
      constructor(id: string, text: string) {
        this.id = id
        this.text = text
      }
    }
    class Users extends Program {
      readonly entries: Documents = new Documents({ id: new Uint8Array(32).fill(1) })
      open(): Promise<void> {
        return this.entries.open({ type: Entry, replicate: { factor: 1 }, index: { idProperty: 'id' } })
      }
    }
    variant(0)(Entry)
    field({ type: 'string' })(Entry.prototype, 'id')
    field({ type: 'string' })(Entry.prototype, 'text')
    variant('users')(Users)
    field({ type: Documents })(Users.prototype, 'entries')
    const client = await Peerbit.create({ relay: false, indexer })
    if (address !== '') await client.dial(address)
    const { entries } = await client.open(new Users(), {})
    const own = new Map<string, string>()
    return {
      address: String(client.getMultiaddrs()[0]),
      set: (key, value) => {
        own.set(key, value)
        void entries.put(new Entry(key, value))
      },
      get: (key) => entries.index.get(key),
      size: counted(async () => entries.index.getSize()),
      onChange: (listener) =>
        entries.events.addEventListener('change', ({ detail: { added } }) => {
          for (const { id } of added) if (!own.has(id)) listener(id)
        }),
      ...connectionOf(client.libp2p, () => client.dial(address)),
    }
  },
}

/** Those that are built of libp2p as well, and are too slow to be measured each time. */
export const HEAVY_CONTENDERS: readonly Contender[] = [orbitdb, peerbit]

/** The last count. Each call has them counted again soon, since these libraries count later than they are asked. */
function counted(count: () => Promise<number>): () => number {
  let last = 0
  let counting = false
  let again = false
  const begin = (): void => {
    if (counting) {
      again = true
      return
    }
    counting = true
    again = false
    void count()
      .then((found) => (last = found))
      .finally(() =>
        setTimeout(() => {
          counting = false
          if (again) begin()
        }, COUNT_GAP_MS),
      )
  }
  return () => {
    begin()
    return last
  }
}

function connectionOf(libp2p: Libp2p, dial: () => Promise<unknown>): Pick<Copy, 'disconnect' | 'reconnect'> {
  return {
    disconnect: async () => void (await Promise.all(libp2p.getPeers().map((peer) => libp2p.hangUp(peer)))),
    reconnect: async () => void (await dial()),
  }
}
