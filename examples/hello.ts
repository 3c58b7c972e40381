import { openGrid } from 'gossipgrid'

const grid = await openGrid({ name: 'hello' })
const users = grid.map<{ age: number }>('users')
await users.set('ada', { age: 36 })
console.log(await users.get('ada')) // { age: 36 }
await grid.close()
