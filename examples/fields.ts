import { openGrid } from 'gossipgrid'

interface Profile {
  readonly name: string
  readonly city: string
  readonly age: number
}

// Two peers edit different fields of one object before they receive each other's edit; both edits survive.
const first = await openGrid({ name: 'profiles' })
const second = await openGrid({ name: 'profiles', join: first.addresses })
await second.ready()
const here = first.map<Profile>('profiles', { merge: 'fields' })
const there = second.map<Profile>('profiles', { merge: 'fields' })

const arrived = there.changes()
await here.set('ada', { name: 'Ada', city: 'London', age: 36 })
await arrived.next()

void here.update('ada', (ada) => ({ ...ada!, city: 'Paris' }))
void there.update('ada', (ada) => ({ ...ada!, age: 37 }))

for await (const { value } of there.changes({ key: 'ada', initial: true })) {
  console.log(value) // at last { age: 37, city: 'Paris', name: 'Ada' }
  if (value?.city === 'Paris' && value.age === 37) break
}
await second.close()
await first.close()
