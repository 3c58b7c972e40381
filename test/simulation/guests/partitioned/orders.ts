import { partitions } from '@gossipgrid/core'
import type { MapGrant } from '../../../../packages/grid/src/guests/grants.ts'
import type { PartitionedMapOptions } from '../../../../packages/grid/src/partitioned/partition-options.ts'

/** The partitioned map of a simulation. */
export const ORDERS = 'orders'
/** Keys that begin so lie in one partition. */
export const SHARED = '{all}'

export interface Order {
  readonly text: string
  readonly size: number
}

export type OrderOptions = PartitionedMapOptions<Order>

/** What partitioned maps load with the first call. To be called before virtual time begins: files take real time. */
export async function loadOrders(): Promise<void> {
  await Promise.all([
    partitions.load(),
    import('../../../../packages/grid/src/partitioned/routed-map.ts'),
    import('../../../../packages/grid/src/partitioned/queries/owner-queries.ts'),
    import('../../../../packages/grid/src/guests/partitioned/guest-map.ts'),
    import('../../../../packages/grid/src/guests/partitioned/guest-queries.ts'),
  ])
}

/** What a subject may do with orders in a simulation. */
export function orderGrants(subject: string): readonly MapGrant[] {
  return [
    { map: ORDERS, prefix: `${subject}/`, may: 'write' },
    { map: ORDERS, prefix: `${SHARED}/`, may: 'write' },
  ]
}
