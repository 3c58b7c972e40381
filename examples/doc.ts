import { openGrid } from 'gossipgrid'

// Two peers type into one text at the same time, and both keep what the other typed.
const ada = await openGrid({ name: 'writing' })
const bob = await openGrid({ name: 'writing', join: ada.addresses })

const here = await ada.doc('notes/today')
const there = await bob.doc('notes/today')
here.awareness.setLocalStateField('user', { name: 'Ada' })

here.y.getText('body').insert(0, 'Ada was here. ')
there.y.getText('body').insert(0, 'Bob was here. ')
await here.flush()

const isWhole = (): boolean => there.y.getText('body').length === 28 && here.y.getText('body').length === 28
while (!isWhole()) await new Promise((resolve) => setTimeout(resolve, 10))

console.log(here.y.getText('body').toJSON()) // both sentences, in the same order on both peers
console.log(bob.docs('notes/')) // [ 'notes/today' ]
await bob.close()
await ada.close()
