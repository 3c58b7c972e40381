import { openGrid } from 'gossipgrid'

// Two peers count the same visits, and each may be alone for a while: no increment is lost.
const first = await openGrid({ name: 'counting' })
const second = await openGrid({ name: 'counting', join: first.addresses })
await second.ready()

const visits = second.counter('visits')
const changes = visits.changes()
void first.counter('visits').increment()
void first.counter('visits').increment(40)
await visits.increment()

for await (const { value } of changes) {
  console.log(value)
  if (value === 42) break
}
await second.close()
await first.close()
