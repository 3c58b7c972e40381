/**
 * `guests.test.ts` runs it under each server runtime. A member issues a pass, and serves a guest over a WebSocket. It prints one
 * line of JSON that says what each saw of the other, and ends by itself.
 */
import { GridError, openGrid } from 'gossipgrid'

const LIMIT_MS = 40_000

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const member = await openGrid({
  name: 'shop',
  secret: 'the secret of the members of this shop',
  listen: ['/ip4/127.0.0.1/tcp/0'],
  mdns: false,
  logger: quiet,
  guests: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] },
})
await member.map('news').set('today', 'sun')
const pass = await member.issuePass({
  subject: 'ada',
  expiresInMs: 600_000,
  grants: [
    { map: 'todos', prefix: 'ada/', may: 'write' },
    { map: 'news', may: 'read' },
    { topic: 'chat/', may: 'write' },
  ],
})
const guest = await openGrid({ name: 'shop', pass, join: member.status().guests!.addresses, logger: quiet })
await guest.ready()
const read = await guest.map('news').get('today')
await guest.map('todos').set('ada/milk', 1)
const refused = await guest
  .map('todos')
  .set('eve/milk', 1)
  .then(
    () => 'taken',
    (error: unknown) => (error instanceof GridError ? error.code : String(error)),
  )
const heard: unknown[] = []
member.topic('chat/1').on('message', ({ subject, value }) => void heard.push({ subject, value }))
await waitFor(() => member.map('todos').peek('ada/milk') === 1)
await guest.topic('chat/1').publish('hello')
await waitFor(() => heard.length > 0)
await guest.close()
await member.close()
console.log(JSON.stringify({ read, refused, heard }))

async function waitFor(isThere: () => boolean): Promise<void> {
  const startMs = performance.now()
  while (!isThere()) {
    if (performance.now() - startMs > LIMIT_MS) throw new Error(`${String(isThere)} was not true in time`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
