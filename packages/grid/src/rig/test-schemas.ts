import type { SchemaResult, StandardSchema } from '../maps/schema.ts'

/** Makes a schema as a library would. */
export function schemaOf<Output>(
  validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>,
): StandardSchema<Output> {
  return { '~standard': { version: 1, vendor: 'test', validate } }
}

export interface User {
  readonly name: string
  readonly age: number
}

/** A schema of users. It trims names, and the default age is 18. */
export const userSchema: StandardSchema<User> = schemaOf((value) => {
  if (typeof value !== 'object' || value === null) return { issues: [{ message: 'no object' }] }
  const { name, age = 18 } = value as Partial<User>
  const issues = [
    ...(typeof name === 'string' ? [] : [{ message: 'no text', path: ['name'] }]),
    ...(Number.isInteger(age) && age >= 0 ? [] : [{ message: 'no age', path: [{ key: 'age' }] }]),
  ]
  return issues.length > 0 ? { issues } : { value: { name: name!.trim(), age } }
})
