import { describe, expect, it } from 'vitest'
import type { Grid } from '../../grid.ts'
import { answered, closeAfterEach, openGuest, openMember, passOf } from '../../rig/guest-grids.ts'
import { until } from '../../rig/test-grids.ts'
import type { Grant } from '../grants.ts'
import { encodeMemberMessage } from '../messages.ts'
import { GuestReads } from '../serving/guest-reads.ts'

closeAfterEach()

const NAME = 'boards/plan'
const BOARDS: readonly Grant[] = [{ doc: 'boards/', may: 'write' }]
const DOCUMENT_BYTES = 100_000
const KEYS = 100
/** A keystroke splits an item of Yjs, and says so in about 30 bytes. The rest is the message around it. */
const KEY_MAX_BYTES = 512
/** A member merges rows of its own now and then, and a merged row is new. */
const MERGES_MAX = 3

/** What a guest is sent now, in bytes. */
function sentBytes(reads: GuestReads): number {
  let bytes = 0
  for (let piece = reads.next(); piece !== undefined; piece = reads.next()) {
    if (piece === 'looking') continue
    const { partition: _, sealed: __, ...rest } = piece
    bytes += encodeMemberMessage({ type: 'rows', ...rest, cursor: undefined }).length
  }
  return bytes
}

/** Writes a document in many rows. */
async function write(
  member: Grid,
  bytes: number,
  chunkBytes: number,
): Promise<{ insert(text: string): Promise<void> }> {
  const document = await member.doc(NAME)
  const text = document.y.getText('body')
  const insert = async (added: string): Promise<void> => {
    text.insert(Math.floor(text.length / 2), added)
    await document.flush()
  }
  for (let at = 0; at < bytes; at += chunkBytes) await insert('word '.repeat(chunkBytes / 5))
  return { insert }
}

describe('a guest of a large document', () => {
  it('is sent what a keystroke changes, and not the document', async () => {
    const member = await openMember()
    const document = await write(member, DOCUMENT_BYTES, 5000)
    const reads = new GuestReads(member.pump.peer, () => member.pump.wallMs, BOARDS, new Map())
    expect(sentBytes(reads)).toBeGreaterThan(DOCUMENT_BYTES)
    const sent: number[] = []
    for (let key = 0; key < KEYS; key++) {
      await document.insert('x')
      sent.push(sentBytes(reads))
    }
    expect(Math.min(...sent)).toBeGreaterThan(0)
    const whole = sent.filter((bytes) => bytes > KEY_MAX_BYTES)
    expect(whole.length).toBeLessThanOrEqual(MERGES_MAX)
  })

  it('gets one that is larger than any message', async () => {
    const member = await openMember()
    const document = await write(member, 3_000_000, 250_000)
    const guest = await openGuest(member, await passOf(member, BOARDS))
    await guest.ready()
    const here = await guest.doc(NAME)
    expect(here.y.getText('body').length).toBe(3_000_000)
    await document.insert('x')
    await until(() => here.y.getText('body').length === 3_000_001, 'the keystroke')
    here.y.getText('body').insert(0, 'y')
    await answered(guest)
  })
})
