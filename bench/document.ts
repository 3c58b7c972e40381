import process from 'node:process'
import { memoryStorage } from '@gossipgrid/storage'
import { openGrid } from 'gossipgrid'
import type { Grid } from 'gossipgrid'
import * as Y from 'yjs'
import type { Bench, Figures } from './bench.ts'
import { benchLogger } from './bench-logger.ts'
import { liveBytes } from './memory.ts'
import { SilentNetwork } from './silent-network.ts'
import { cpuMs } from './stopwatch.ts'
import { paperTrace } from './trace.ts'
import type { Keystroke } from './trace.ts'

/** Keystrokes into one document before it is the other's turn, so that other load slows down both alike. */
const KEYSTROKES_PER_SHIFT = 5000
/** Typed before anything is measured. */
const WARM_KEYSTROKES = 50_000
/** Keystrokes that are sent as one row each. */
const LIVE_KEYSTROKES = 20_000
/** Keystrokes between two turns of the event loop; a person takes seconds for as many. */
const KEYSTROKES_PER_TURN = 10
const CLOSED_DOCUMENTS = 10_000
const CLOSED_TEXT = 'The quick brown fox jumps over the lazy dog, twice'
const OPENINGS = 5

/** Documents beside plain Yjs: typing, applying edits of others, opening, and memory. */
export const document: Bench = {
  name: 'document',
  summary: 'documents: the keystrokes of a paper, typed and received; closed documents; opening a large one',
  runsDefault: 3,
  run: async (progress) => {
    const trace = await paperTrace()
    progress('typing a paper')
    await typingFigures(trace.slice(0, WARM_KEYSTROKES))
    const typed = await typingFigures(trace)
    progress('receiving keystrokes')
    const received = await receivingFigures(trace.slice(0, LIVE_KEYSTROKES))
    progress('closed documents')
    return { ...typed, ...received, ...(await closedFigures()) }
  },
}

interface Solitary {
  readonly grid: Grid
  readonly network: SilentNetwork
}

async function solitary(peerId: string): Promise<Solitary> {
  const network = new SilentNetwork(peerId)
  const grid = await openGrid({
    name: 'bench',
    storage: memoryStorage(),
    network: () => Promise.resolve(network),
    logger: benchLogger,
  })
  return { grid, network }
}

function type(text: Y.Text, { position, text: typed }: Keystroke): void {
  if (typed === '') text.delete(position, 1)
  else text.insert(position, typed)
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** CPU milliseconds. */
async function typeAll(text: Y.Text, trace: readonly Keystroke[]): Promise<number> {
  const cpu = process.cpuUsage()
  for (const [i, keystroke] of trace.entries()) {
    type(text, keystroke)
    if (i % KEYSTROKES_PER_TURN === 0) await nextTurn()
  }
  return cpuMs(cpu)
}

/** The whole trace, typed into a document of the grid and into a Y.Doc whose updates are collected, as providers do. */
async function typingFigures(trace: readonly Keystroke[]): Promise<Figures> {
  const plain = new Y.Doc()
  let updateBytes = 0
  plain.on('update', (update: Uint8Array) => (updateBytes += update.length))
  const { grid, network } = await solitary('typist')
  const paper = await grid.doc('paper')
  let plainMs = 0
  let gridMs = 0
  for (let at = 0; at < trace.length; at += KEYSTROKES_PER_SHIFT) {
    const shift = trace.slice(at, at + KEYSTROKES_PER_SHIFT)
    plainMs += await typeAll(plain.getText('paper'), shift)
    gridMs += await typeAll(paper.y.getText('paper'), shift)
    const cpu = process.cpuUsage()
    await paper.flush()
    gridMs += cpuMs(cpu)
  }
  if (paper.y.getText('paper').toJSON() !== plain.getText('paper').toJSON()) throw new Error('the texts differ')
  await paper.close()
  const storedBytes = grid.status().collections.find(({ kind }) => kind === 'document')!.valueBytes
  const state = Y.encodeStateAsUpdate(plain)
  const figures = {
    traceCpuMs: gridMs,
    traceOverPlainYjs: gridMs / plainMs,
    storedBytes,
    storedOverYjsV1: storedBytes / state.length,
    storedOverYjsV2: storedBytes / Y.encodeStateAsUpdateV2(plain).length,
    sentOverYjsUpdates: network.broadcasts.reduce((sum, { length }) => sum + length, 0) / updateBytes,
    ...(await openingFigures(grid, plain)),
  }
  await grid.close()
  return figures
}

/** Opens the document of the trace in new Y.Docs, so that none is warm. */
async function openingFigures(grid: Grid, plain: Y.Doc): Promise<Figures> {
  const times: number[] = []
  for (let i = 0; i < OPENINGS; i++) {
    const startMs = performance.now()
    const opened = await grid.doc('paper', { doc: new Y.Doc() })
    times.push(performance.now() - startMs)
    if (opened.y.getText('paper').length !== plain.getText('paper').length) throw new Error('not all was opened')
    await opened.close()
  }
  return { openMs: times.toSorted((a, b) => a - b)[Math.floor(OPENINGS / 2)]! }
}

/** Keystrokes of another peer, each a row of its own, in that peer's frames, into an open document. */
async function receivingFigures(trace: readonly Keystroke[]): Promise<Figures> {
  const sender = await solitary('typist')
  const written = await sender.grid.doc('paper')
  for (const keystroke of trace) {
    type(written.y.getText('paper'), keystroke)
    await written.flush()
  }
  // The last frame is sent a moment after the last keystroke is stored.
  await new Promise((resolve) => setTimeout(resolve, 200))
  const { broadcasts } = sender.network
  const receiver = await solitary('reader')
  const read = await receiver.grid.doc('paper')
  const cpu = process.cpuUsage()
  const startMs = performance.now()
  for (const bytes of broadcasts) {
    receiver.network.hear('typist', bytes)
    await nextTurn()
  }
  const spentMs = cpuMs(cpu)
  const wallMs = performance.now() - startMs
  if (read.y.getText('paper').toJSON() !== written.y.getText('paper').toJSON()) throw new Error('the texts differ')
  await Promise.all([sender.grid.close(), receiver.grid.close()])
  return {
    receivedKeystrokesPerSec: trace.length / (wallMs / 1000),
    receivedKeystrokeCpuNs: (spentMs * 1e6) / trace.length,
    keystrokesPerBroadcast: trace.length / broadcasts.length,
  }
}

async function closedFigures(): Promise<Figures> {
  const { grid } = await solitary('librarian')
  const first = await grid.doc('first')
  await first.close()
  const before = liveBytes()
  for (let i = 0; i < CLOSED_DOCUMENTS; i++) {
    const note = await grid.doc(`note ${i}`)
    note.y.getText('body').insert(0, CLOSED_TEXT)
    await note.close()
  }
  await nextTurn()
  const bytes = liveBytes() - before
  if (grid.docs('note').length !== CLOSED_DOCUMENTS) throw new Error('not all documents are there')
  await grid.close()
  return { bytesPerClosedDocument: bytes / CLOSED_DOCUMENTS }
}
