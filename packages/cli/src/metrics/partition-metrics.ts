import { gauge } from './metric-definition.ts'
import type { MetricDefinition } from './metric-definition.ts'

/** The partitions of partitioned collections, as `status().partitions` counts them. */
export const PARTITION_METRICS: readonly MetricDefinition[] = [
  gauge('gossipgrid_partitioned_collections', 'Partitioned collections of the grid.', (m) => m.partitions.collections),
  gauge('gossipgrid_partitions', 'All partitions of them.', (m) => m.partitions.total),
  gauge('gossipgrid_partitions_owned', 'Partitions that this peer owns.', (m) => m.partitions.owned),
  gauge('gossipgrid_partitions_whole', 'Those of them that it has whole.', (m) => m.partitions.whole),
  gauge(
    'gossipgrid_partitions_handing_over',
    'Copies of partitions that others own, until those have them.',
    (m) => m.partitions.handingOver,
  ),
  gauge('gossipgrid_handing_over_bytes', 'Bytes of the values in these copies.', (m) => m.partitions.handingOverBytes),
  gauge(
    'gossipgrid_partitions_under_replicated',
    'Whole copies here whose other owners do not have all of it.',
    (m) => m.partitions.underReplicated,
  ),
  gauge(
    'gossipgrid_partitions_unreachable',
    'Partitions of which no peer in reach has a whole copy.',
    (m) => m.partitions.unreachable,
  ),
  gauge(
    'gossipgrid_partitions_lost',
    'Partitions of which no registered peer has a whole copy.',
    (m) => m.partitions.lost,
  ),
  gauge('gossipgrid_hints', 'Writes here that wait for the owners of their partitions.', (m) => m.partitions.hints),
]
