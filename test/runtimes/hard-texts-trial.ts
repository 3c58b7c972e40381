/**
 * `hard-texts.test.ts` runs it under each server runtime, with a directory for data. A peer writes texts that codecs are
 * known to damage, everywhere that a grid takes text. A second peer, and the first one after a restart, report the texts
 * that they read differently. It prints one line of JSON, and ends by itself.
 */
import { openGrid } from 'gossipgrid'
import type { Grid } from 'gossipgrid'
import { parseTagged, stringifyTagged } from '../../packages/cli/src/formats/json/tagged-json.ts'
import { hardTexts } from '../../packages/testing/src/hard-texts.ts'
import type { HardText } from '../../packages/testing/src/hard-texts.ts'

const LIMIT_MS = 40_000
/** As many as one peer's presence has room for. */
const PRESENT_AT_ONCE = 20
const HARD = hardTexts([3, 16, 63, 64, 65, 66, 200])
const NAMES = HARD.filter(({ text }) => !/\p{Cc}/u.test(text) && text.length > 60 && text.length < 70)
/** U+0000 separates the parts of a key that has two. */
const FIELDS = HARD.filter(({ text }) => !text.includes('\u0000'))

const directory = process.argv[2]!
const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const same = { name: '\ufeffhard texts', secret: `\ufeff${'s'.repeat(70)}`, mdns: false, logger: quiet }
const listen = ['/ip4/127.0.0.1/tcp/0']

const writer = await openGrid({ ...same, listen, directory, zone: '\ufeffzone' })
const reader = await openGrid({ ...same, listen, join: writer.addresses })
const heard = new Map<string, unknown>()
for (const { text } of NAMES) reader.topic(text).on('message', ({ value }) => void heard.set(text, value))

await write(writer)
await waitFor(async () => (await differences(reader)).length === 0).catch(() => undefined)
const atReader = await differences(reader)
await waitFor(async () => {
  for (const { text } of NAMES) if (heard.get(text) !== text) await writer.topic(text).publish(text)
  return NAMES.every(({ text }) => heard.get(text) === text)
}).catch(() => undefined)
const topics = NAMES.filter(({ text }) => heard.get(text) !== text).map(({ what }) => what)
const presence: string[] = []
for (let i = 0; i < NAMES.length; i += PRESENT_AT_ONCE) {
  const shown = NAMES.slice(i, i + PRESENT_AT_ONCE)
  writer.presence().set(Object.fromEntries(shown.map(({ text }) => [text, text])))
  const seen = (): Record<string, string> => reader.presence<Record<string, string>>().get(writer.peerId) ?? {}
  await waitFor(async () => shown.every(({ text }) => seen()[text] === text)).catch(() => undefined)
  presence.push(...shown.filter(({ text }) => seen()[text] !== text).map(({ what }) => what))
}
const zone = reader.members.find(({ peerId }) => peerId === writer.peerId)?.zone
await reader.close()
await writer.close()
const again = await openGrid({ ...same, listen, directory })
const onDisk = await differences(again)
await again.close()
const asJson = (value: unknown): string => JSON.stringify(parseTagged(stringifyTagged(value)))
const tagged = HARD.filter(({ text }) => asJson({ [text]: [text] }) !== JSON.stringify({ [text]: [text] }))
console.log(
  JSON.stringify({
    texts: HARD.length,
    names: NAMES.length,
    atReader,
    topics,
    presence,
    zone,
    onDisk,
    tagged: tagged.map(({ what }) => what),
  }),
)

async function write(grid: Grid): Promise<void> {
  const [map, fields, set] = [grid.map<string>('map'), grid.map<object>('fields', { merge: 'fields' }), grid.set('set')]
  await Promise.all([
    ...HARD.map(({ text }) => map.set(text, text)),
    ...FIELDS.map(({ text }) => fields.set(text, { [text]: text })),
    fields.set('all', Object.fromEntries(FIELDS.map(({ text }) => [text, text]))),
    ...HARD.flatMap(({ text }) => [set.add(text), set.add([text, { [text]: text }])]),
    ...NAMES.flatMap(({ text }) => [
      grid.map<string>(text).set('name', text),
      grid.counter(counterName(text)).increment(),
    ]),
  ])
  const document = await grid.doc(NAMES[0]!.text)
  const [body, keys] = [document.y.getText('body'), document.y.getMap('keys')]
  for (const { text } of HARD) {
    body.insert(body.length, text, { [text]: text })
    keys.set(text, { [text]: [text] })
    document.y.getArray(text).push([text])
  }
  await document.close()
}

function counterName(text: string): string {
  return `${text}.`
}

/** The texts that a peer reads differently from how they were written. */
async function differences(grid: Grid): Promise<string[]> {
  const wrong = new Set<string>()
  const see = (where: string, what: string, right: boolean): void => void (right || wrong.add(`${where}: ${what}`))
  const map = grid.map<string>('map')
  const fields = grid.map<Record<string, string>>('fields', { merge: 'fields' })
  const set = grid.set('set')
  const all = fields.peek('all') ?? {}
  see('fields', 'their number', Object.keys(all).length === count(FIELDS))
  see('keys', 'their number', map.size === count(HARD))
  see('elements', 'their number', set.size === 2 * count(HARD))
  for (const { text, what } of HARD) {
    see('value', what, map.peek(text) === text)
    see('element', what, set.holds(text) && set.holds([text, { [text]: text }]))
  }
  for (const { text, what } of FIELDS) {
    see('field', what, all[text] === text)
    see('key and field', what, fields.peek(text)?.[text] === text)
  }
  const names = new Set(grid.status().collections.map(({ name }) => name))
  for (const { text, what } of NAMES) {
    see('map', what, names.has(text) && grid.map<string>(text).peek('name') === text)
    see('counter', what, names.has(counterName(text)) && grid.counter(counterName(text)).value === 1)
  }
  see('document', 'its name', [...grid.docs()].includes(NAMES[0]!.text))
  const document = await grid.doc(NAMES[0]!.text)
  const keys = document.y.getMap('keys')
  see('document', 'its text', document.y.getText('body').toJSON() === HARD.map(({ text }) => text).join(''))
  for (const { text, what } of HARD) {
    see('key of a document', what, JSON.stringify(keys.get(text)) === JSON.stringify({ [text]: [text] }))
    see('root of a document', what, document.y.getArray(text).get(0) === text)
  }
  const parts = document.y.getText('body').toDelta() as { insert: string; attributes?: Record<string, string> }[]
  const marked = parts.filter(({ insert, attributes = {} }) => attributes[insert] === insert)
  see('document', 'its attributes', marked.length >= count(HARD))
  await document.close()
  return [...wrong]
}

function count(texts: readonly HardText[]): number {
  return new Set(texts.map(({ text }) => text)).size
}

async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  for (const endMs = performance.now() + LIMIT_MS; !(await condition());) {
    if (performance.now() > endMs) throw new Error('waited too long')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
