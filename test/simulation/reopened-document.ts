import type { Peer } from '@gossipgrid/core'
import { readDocumentKey } from '@gossipgrid/core'
import * as Y from 'yjs'
import { DocumentEngine } from '../../packages/grid/src/documents/engine/document-engine.ts'
import { DocumentLeases } from '../../packages/grid/src/documents/engine/document-lease.ts'
import type { DocumentPump } from '../../packages/grid/src/documents/engine/document-pump.ts'
import { DocumentTable } from '../../packages/grid/src/documents/rows/document-table.ts'

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

/** Rows wait for others than those of `hiddenClients`, and than rows that wait themselves. */
export function waitsForOthers({ waiting }: DocumentEngine, hiddenClients: ReadonlySet<number>): boolean {
  const known = new Set(hiddenClients)
  for (const key of waiting.keys()) known.add(readDocumentKey(key)!.client)
  const awaited = [...waiting.values()].map(({ client }) => client)
  return awaited.some((client) => !known.has(client)) || (waiting.size > 0 && hiddenClients.size === 0)
}

/** The document that its rows alone give. */
export function reopen(peer: Peer, name: string): DocumentEngine {
  const pump: DocumentPump = {
    peer,
    closed: false,
    wallMs: 0,
    monotonicMs: 0,
    afterStep: () => undefined,
    soon: () => undefined,
    later: () => undefined,
    waits: () => false,
    write: () => {
      throw new Error('nothing is written into what is only looked at')
    },
  }
  const table = new DocumentTable(peer)
  const engineDeps = {
    pump,
    table,
    logger: silent,
    poisoned: new Map<string, number>(),
    refused: () => undefined,
    ended: () => undefined,
  }
  const lease = new DocumentLeases(peer, Number.parseInt(peer.slotId.slice(0, 8), 16)).lend([])
  const engine = new DocumentEngine(engineDeps, { name, generation: table.generationOf(name), lease, y: new Y.Doc() })
  engine.load()
  engine.detach()
  return engine
}
