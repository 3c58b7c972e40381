import { afterEach, expect, it, vi } from 'vitest'
import type { Grid } from '../../grid.ts'
import type { GridDocument } from '../../documents/opened/grid-document.ts'
import { closeAfterEach, openGuest, openMember, passOf } from '../../rig/guest-grids.ts'
import { until } from '../../rig/test-grids.ts'
import { GuestWrites } from '../serving/guest-writes.ts'

closeAfterEach()
afterEach(() => void vi.restoreAllMocks())

const NAME = 'boards/42/a'
const GRANTS = [{ doc: 'boards/42/', may: 'write' } as const]
const isGood = ({ value }: { readonly value: unknown }): boolean => !textIn(value as Uint8Array).includes('bad')
const SERVING = { guests: { listen: ['/ip4/127.0.0.1/tcp/0/ws'], authorize: isGood } }

function textIn(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('latin1')
}

/** Types at the end, each text in a row of its own. */
async function type(document: GridDocument, texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    const body = document.y.getText('body')
    body.insert(body.length, text)
    await document.flush()
  }
}

async function answered(guest: Grid): Promise<void> {
  await until(() => guest.status().guest?.waitingWrites === 0, 'the answers')
}

async function textOf(grid: Grid): Promise<string> {
  const document = await grid.doc(NAME)
  const text = document.y.getText('body').toJSON()
  await document.close()
  return text
}

it('an edit after a refused one whose answer was lost is not sent again', async () => {
  const member = await openMember(SERVING)
  const guest = await openGuest(member, await passOf(member, GRANTS))
  await guest.ready()
  const document = await guest.doc(NAME)
  await type(document, ['good'])
  await answered(guest)
  await guest.disconnect()
  await type(document, [' bad', ' then'])
  const taken: string[] = []
  const take = GuestWrites.prototype.take
  vi.spyOn(GuestWrites.prototype, 'take').mockImplementation(function (this: GuestWrites, pass, id, writes, check) {
    // Of the first message, no more than the first write is answered: as if the connection had ended then.
    const some = taken.length === 0 ? writes.slice(0, 1) : writes
    taken.push(...writes.map(({ bytes }) => textIn(bytes)))
    return take.call(this, pass, id, some, check)
  })
  await guest.connect()
  await until(() => document.endedBy !== undefined, 'the refusal')
  await answered(guest)
  await until(() => guest.status().guest?.isCaughtUp === true, 'it is sent all again')
  expect(taken.filter((text) => text.includes('then'))).toHaveLength(1)
  expect(await textOf(guest)).toBe('good')
  expect(await textOf(member)).toBe('good')
})

it('a document with a refused edit is sent again, also where no more than deletes of rows waited after it', async () => {
  const member = await openMember(SERVING)
  const guest = await openGuest(member, await passOf(member, GRANTS))
  await guest.ready()
  const document = await guest.doc(NAME)
  const texts = Array.from({ length: 12 }, (_, i) => `${i} `)
  await type(document, texts)
  await answered(guest)
  await guest.disconnect()
  await type(document, ['bad'])
  // Closing it merges its rows into one.
  await document.close()
  const refused = new Promise((resolve) => guest.on('refused', ({ error }) => resolve(error.code)))
  await guest.connect()
  expect(await refused).toBe('FORBIDDEN')
  await answered(guest)
  await until(async () => (await textOf(guest)) === texts.join(''), 'what members have')
  expect(await textOf(member)).toBe(texts.join(''))
})
