import {
  GUEST_NONCES_MAX,
  deletedDocumentHeader,
  documentClient,
  documentHeader,
  documentKey,
  documentValue,
  encodeValue,
  generationKey,
  generationStart,
  hlcFromWall,
  writeYjsUpdate,
} from '@gossipgrid/core'
import type { GridError } from '@gossipgrid/core'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import type { Grid } from '../../grid.ts'
import { TestGrids } from '../../rig/test-grids.ts'
import { DOCUMENT_ROWS } from '../covering.ts'
import { DOCUMENT_KIND } from '../map-kinds.ts'
import type { GuestWrite } from '../messages.ts'
import type { PassContent } from '../pass-text.ts'
import { GuestWrites } from '../serving/guest-writes.ts'
import { SubjectTotals } from '../serving/subject-totals.ts'
import { maySay } from './awareness-rules.ts'
import { DocumentEdits, EarlierEdits } from './document-edits.ts'
import { TakenEdits } from '../serving/taken-edits.ts'

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const MINE = '0123456789abcdef'
const OTHER = 'fedcba9876543210'
const NONCE = 7
const CLIENT = documentClient(MINE, NONCE)
const DOCUMENT = 'boards/42/a'
const PASS: PassContent = {
  ...{ id: 'p', subject: 'eve', grid: 'test', expiresAtMs: Infinity },
  grants: [{ doc: 'boards/42/', may: 'write' }],
}

let grids: TestGrids
let member: Grid
let edits: DocumentEdits
let writes: GuestWrites
beforeEach(async () => {
  grids = new TestGrids()
  member = await grids.open()
  edits = new DocumentEdits(member.pump)
  writes = writesAt(member)
})
afterEach(() => grids.close())

function writesAt(grid: Grid, bytesMax = 1_000_000): GuestWrites {
  const { writes: path } = grid.pump
  const totals = new SubjectTotals(() => grid.pump.peer.collections, { bytesMax })
  const shared = { authorize: undefined, logger: silent }
  const taken = new TakenEdits({ ...shared, pump: grid.pump, authors: { of: async () => [MINE] } })
  return new GuestWrites({ ...shared, writes: path, valueSizeMaxBytes: 1024, totals, edits: taken })
}

/** What a Y.Doc of a client id says it typed. */
function typed(text: string, client = CLIENT): Uint8Array {
  const y = new Y.Doc()
  y.clientID = client
  y.getText('body').insert(0, text)
  return Y.encodeStateAsUpdate(y)
}

interface Row {
  readonly document?: string
  readonly generation?: number
  readonly nonce?: number
  readonly client?: number
  readonly index?: number
}

function keyOf({ document = DOCUMENT, generation = 0, nonce = NONCE, client = CLIENT, index = 0 }: Row = {}): string {
  return documentKey({ document, generation, nonce, client, level: 'a', index })
}

let last = 0
function write(rowKey: string, bytes: Uint8Array | undefined): GuestWrite {
  last = Math.max(last + 1, hlcFromWall(Date.now()))
  return { number: last, map: DOCUMENT_ROWS, kind: DOCUMENT_KIND, rowKey, hlc: last, again: false, bytes }
}

const valueOf = (update: Uint8Array, author = MINE): Uint8Array => documentValue(update, author, '')

const judge = (rowKey: string, bytes: Uint8Array | undefined): string => {
  const answer = edits.judge(PASS, [MINE], write(rowKey, bytes), new EarlierEdits())
  return answer === 'behind' ? answer : answer.code
}

const codes = async (...all: GuestWrite[]): Promise<string[]> =>
  (await writes.take(PASS, '0'.repeat(32), all)).map(({ code }) => code)

describe('a hostile guest', () => {
  it('cannot write under the client id of another author, nor overwrite or delete its rows', async () => {
    const theirs = await member.doc(DOCUMENT)
    theirs.y.getText('body').insert(0, 'theirs')
    await theirs.flush()
    const [row] = member.documents.table.rowsOf(DOCUMENT)
    const { client, nonce } = row!.parts
    expect(judge(row!.key, valueOf(typed('mine', client)))).toBe('FORBIDDEN')
    expect(judge(row!.key, undefined)).toBe('FORBIDDEN')
    // With a number of its own, and the client id of the other one.
    expect(judge(keyOf({ client, nonce: NONCE }), valueOf(typed('mine', client)))).toBe('FORBIDDEN')
    expect(judge(keyOf({ client: documentClient(OTHER, nonce), nonce }), valueOf(typed('x'), OTHER))).toBe('FORBIDDEN')
    // In the name of another guest.
    const other = { client: documentClient(OTHER, NONCE) }
    expect(judge(keyOf(other), valueOf(typed('x', other.client), OTHER))).toBe('FORBIDDEN')
    expect(judge(keyOf(other), undefined)).toBe('FORBIDDEN')
    // The form is wrong where the client id does not follow from the author.
    await expect(codes(write(keyOf(other), valueOf(typed('x', other.client))))).rejects.toMatchObject({
      code: 'MESSAGE_MALFORMED',
    })
    await expect(codes(write(keyOf(), valueOf(typed('x', client))))).rejects.toMatchObject({
      code: 'MESSAGE_MALFORMED',
    })
    expect(theirs.y.getText('body').toJSON()).toBe('theirs')
  })

  it('has few client ids, so that it finds none that another author has', () => {
    const nonce = GUEST_NONCES_MAX
    const client = documentClient(MINE, nonce)
    expect(judge(keyOf({ nonce, client }), valueOf(typed('x', client)))).toBe('FORBIDDEN')
    const least = { nonce: nonce - 1, client: documentClient(MINE, nonce - 1) }
    expect(judge(keyOf(least), valueOf(typed('x', least.client)))).toBe('')
  })

  it('starts no compaction, and neither deletes nor replaces a document', async () => {
    const theirs = await member.doc(DOCUMENT)
    theirs.y.getText('body').insert(0, 'theirs')
    await theirs.flush()
    const start = { from: 0, client: CLIENT, end: 0, settled: true, covers: [], copied: [] }
    expect(await codes(write(generationKey(DOCUMENT, 1000), generationStart(start)))).toEqual(['FORBIDDEN'])
    expect(await codes(write(generationKey(DOCUMENT, 1000), undefined))).toEqual(['FORBIDDEN'])
    expect(await codes(write(DOCUMENT, undefined))).toEqual(['FORBIDDEN'])
    for (const generation of [5, last]) {
      expect(await codes(write(DOCUMENT, documentHeader({ generation })))).toEqual(['DOCUMENT_DELETED'])
      expect(await codes(write(DOCUMENT, deletedDocumentHeader(generation)))).toEqual(['DOCUMENT_DELETED'])
    }
    const ahead = hlcFromWall(Date.now() + 3_600_000)
    expect(judge(keyOf({ generation: ahead }), valueOf(typed('x')))).toBe('FORBIDDEN')
    expect(judge(keyOf({ generation: 5 }), valueOf(typed('x')))).toBe('behind')
    expect(theirs.y.getText('body').toJSON()).toBe('theirs')
  })

  it('learns nothing of documents outside its pass, and edits none', async () => {
    for (const name of ['boards/42', 'secret']) {
      const document = await member.doc(name)
      document.y.getText('body').insert(0, 'x')
      await document.flush()
    }
    const asked = ['boards/42', 'secret', 'boards/43/a', 'Boards/42/a', 'boards/42', 'none', 'boards\u2215' + '42/a']
    const all = asked.map((document, index) => write(keyOf({ document, index }), valueOf(typed('x'))))
    const answers = await writes.take(PASS, '0'.repeat(32), all)
    expect(new Set(answers.map(({ code, text }) => `${code} ${text}`)).size).toBe(1)
    expect(answers[0]!.code).toBe('FORBIDDEN')
    expect(member.docs()).toEqual(['boards/42', 'secret'])
  })

  it('takes away no structs that others may have built on', async () => {
    expect(await codes(write(keyOf(), valueOf(typed('abc'))))).toEqual([''])
    expect(judge(keyOf(), undefined)).toBe('behind')
    expect(judge(keyOf(), valueOf(typed('ab')))).toBe('behind')
    expect(judge(keyOf(), valueOf(typed('abcd')))).toBe('')
    // Once another row has them, the first one may go.
    expect(await codes(write(keyOf({ index: 1 }), valueOf(typed('abc'))), write(keyOf(), undefined))).toEqual(['', ''])
    expect(judge(keyOf({ index: 1 }), undefined)).toBe('behind')
  })

  it('deletes nothing that is yet to be typed, and refers to nothing that is not there', async () => {
    const theirs = await member.doc(DOCUMENT)
    theirs.y.getText('body').insert(0, 'theirs')
    await theirs.flush()
    const { clientID } = theirs.y
    const deleting = (from: number, length: number): Uint8Array => valueOf(writeYjsUpdate([], [clientID, from, length]))
    expect(judge(keyOf(), deleting(0, 7))).toBe('behind')
    expect(judge(keyOf(), deleting(1_000_000, 1))).toBe('behind')
    expect(await codes(write(keyOf(), deleting(0, 6)))).toEqual([''])
    expect(theirs.y.getText('body').toJSON()).toBe('')
    const y = new Y.Doc()
    const stranger = new Y.Doc()
    stranger.getText('body').insert(0, 'unknown')
    Y.applyUpdate(y, Y.encodeStateAsUpdate(stranger))
    y.clientID = CLIENT
    const before = Y.encodeStateVector(y)
    y.getText('body').insert(3, 'mine')
    expect(judge(keyOf({ index: 1 }), valueOf(Y.encodeStateAsUpdate(y, before)))).toBe('behind')
  })

  it('is bounded by its quota, and what follows a refused edit is refused with it', async () => {
    writes = writesAt(member, 3000)
    const large = valueOf(typed('x'.repeat(4000)))
    const sent = [write(keyOf(), valueOf(typed('a'))), write(keyOf({ index: 1 }), large)]
    const after = write(keyOf({ index: 2 }), valueOf(typed('b')))
    const elsewhere = write(keyOf({ document: 'boards/42/b' }), valueOf(typed('c')))
    expect(await codes(...sent, after, elsewhere)).toEqual(['', 'QUOTA_EXCEEDED', 'QUOTA_EXCEEDED', ''])
  })

  it('sends bytes that are no update: they are malformed, or do no harm', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 6 }), fc.nat(60), fc.boolean(), async (noise, at, isRaw) => {
        const update = typed('hello')
        const place = at % update.length
        const bytes = isRaw ? noise : Uint8Array.from([...update.slice(0, place), ...noise, ...update.slice(place + 1)])
        const value = valueOf(bytes)
        const name = `boards/42/${last}`
        try {
          await codes(write(keyOf({ document: name }), value))
        } catch (error) {
          expect((error as GridError).code).toMatch(/MESSAGE_MALFORMED|NETWORK_NOT_CONNECTED/)
          expect(member.docs(name)).toEqual([])
        }
        // The document opens in any case.
        const document = await member.doc(name)
        await document.close()
      }),
      { numRuns: 60 },
    )
  })

  it('speaks for no other one in the awareness of a document', () => {
    const say = (message: object, author = MINE): boolean => maySay(PASS.grants, author, encodeValue(message, 4096))
    const state = { document: DOCUMENT, client: CLIENT, nonce: NONCE, clock: 1, state: '{}' }
    expect(say(state)).toBe(true)
    expect(say({ document: DOCUMENT })).toBe(true)
    expect(say(state, OTHER)).toBe(false)
    expect(say({ ...state, client: CLIENT + 1 })).toBe(false)
    expect(say({ ...state, nonce: undefined })).toBe(false)
    expect(say({ ...state, document: 'boards/43/a' })).toBe(false)
    expect(say({ client: CLIENT, nonce: NONCE })).toBe(false)
    expect(maySay([{ doc: 'boards/', may: 'read' }], MINE, encodeValue(state, 4096))).toBe(false)
    expect(maySay([{ topic: 'gossipgrid/', may: 'write' }], MINE, encodeValue(state, 4096))).toBe(false)
  })
})
