import { GridError, openGrid } from 'gossipgrid'
import type { StandardSchema } from 'gossipgrid'

// A schema of Zod, Valibot, ArkType or another library that speaks Standard Schema goes here as it is. This is one by hand.
const user: StandardSchema<{ name: string; age: number }> = {
  '~standard': {
    version: 1,
    vendor: 'by hand',
    validate: (value) => {
      const { name, age } = (value ?? {}) as { name?: unknown; age?: unknown }
      if (typeof name === 'string' && typeof age === 'number') return { value: { name, age } }
      return { issues: [{ message: 'a user has a name and an age' }] }
    },
  },
}

const grid = await openGrid({ name: 'people' })
const users = grid.map('users', { schema: user })
await users.set('ada', { name: 'Ada', age: 36 })
try {
  await users.set('bob', { name: 'Bob' } as never)
} catch (problem) {
  if (!(problem instanceof GridError) || problem.code !== 'SCHEMA') throw problem
  console.log(problem.message) // the value does not fit: value: a user has a name and an age
}
console.log(users.peek('ada')?.age, users.size) // 36 1
await grid.close()
