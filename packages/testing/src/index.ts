export { openLab } from './lab/lab.ts'
export type { Lab } from './lab/lab.ts'
export type { Duration, LabClock } from './lab/lab-clock.ts'
export type { LabGridOptions, OpenLabOptions } from './lab/lab-options.ts'
