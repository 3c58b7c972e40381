import { openGrid } from 'gossipgrid'

const grid = await openGrid({ name: 'sessions' })
const sessions = grid.map<{ user: string }>('sessions', { ttlMs: 60_000 })
const changes = sessions.changes({ key: 's-2' })

await sessions.set('s-1', { user: 'ada' }) // as long as the map says
await sessions.set('s-2', { user: 'bob' }, { ttlMs: 200 }) // as long as this write says
console.log(sessions.expiresAt('s-1')) // a minute from now

for await (const { type, key, value, previous } of changes) {
  console.log(type, key, value ?? previous) // set s-2 { user: 'bob' }, delete s-2 { user: 'bob' }
  if (type === 'delete') break
}
console.log(sessions.size, await sessions.get('s-2')) // 1 undefined
await grid.close()
