export { Random } from './random.ts'
export { simulate } from './simulator.ts'
export type { SimulationOptions, SimulationResult } from './simulator.ts'
