export * from './level.ts'
export * from './memory.ts'
