export * from './errors.ts'
export * from './instant.ts'
export * from './ports.ts'
