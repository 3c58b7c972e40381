import { placed } from '@gossipgrid/testing/placement-vectors'

/** Where keys and partitions belong, as this browser finds it. */
Object.assign(globalThis, { placed })
