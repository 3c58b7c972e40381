/** `placement.test.ts` runs it under each server runtime: it prints, as JSON, where keys and partitions belong. */
import { placed } from '../../packages/testing/src/placement-vectors.ts'

console.log(JSON.stringify(placed()))
