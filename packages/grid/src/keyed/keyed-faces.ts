export { GridCounters } from './grid-counters.ts'
export { GridSets } from './grid-sets.ts'
