import type { SchemaResult, StandardSchema } from '../maps/schema.ts'

/** A schema as a library would make it, by hand. */
export function schemaOf<Output>(
  validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>,
): StandardSchema<Output> {
  return { '~standard': { version: 1, vendor: 'test', validate } }
}

export interface User {
  readonly name: string
  readonly age: number
}

/** Users, whose names are trimmed and whose age is 18 where it is left out. */
export const userSchema: StandardSchema<User> = schemaOf((value) => {
  if (typeof value !== 'object' || value === null) return { issues: [{ message: 'no object' }] }
  const { name, age = 18 } = value as Partial<User>
  const issues = [
    ...(typeof name === 'string' ? [] : [{ message: 'no text', path: ['name'] }]),
    ...(Number.isInteger(age) && age >= 0 ? [] : [{ message: 'no age', path: [{ key: 'age' }] }]),
  ]
  return issues.length > 0 ? { issues } : { value: { name: name!.trim(), age } }
})
