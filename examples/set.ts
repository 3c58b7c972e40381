import { openGrid } from 'gossipgrid'

const first = await openGrid({ name: 'tagging' })
const second = await openGrid({ name: 'tagging', join: first.addresses })
await second.ready()

const tags = first.set<string>('tags')
await tags.addMany(['red', 'green', 'blue'])
await tags.delete('green')

// The other peer follows: what is there already comes first.
const seen = new Set<string>()
for await (const { type, element } of second.set<string>('tags').changes({ initial: true })) {
  if (type === 'add') seen.add(element!)
  if (type === 'delete') seen.delete(element!)
  if (seen.size === 2 && seen.has('blue')) break
}
console.log([...seen].sort()) // [ 'blue', 'red' ]
await second.close()
await first.close()
