import { openGrid } from 'gossipgrid'

interface Person {
  readonly name: string
  readonly typing: boolean
}

const ada = await openGrid({ name: 'office' })
const bob = await openGrid({ name: 'office', join: ada.addresses })

ada.presence<Person>().set({ name: 'Ada', typing: false })
bob.presence<Person>().set({ name: 'Bob', typing: true })

for await (const { type, peerId, state } of ada.presence<Person>().changes({ initial: true })) {
  console.log(type, state) // set { name: 'Ada', typing: false }, set { name: 'Bob', typing: true }, gone undefined
  if (type === 'set' && peerId === bob.peerId) void bob.close()
  if (type === 'gone') break
}
await ada.close()
