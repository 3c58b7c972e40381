import { counter, gauge } from './metric-definition.ts'
import type { MetricDefinition } from './metric-definition.ts'

/** The guests that a member serves. Without values where it serves none. */
export const GUEST_METRICS: readonly MetricDefinition[] = [
  gauge('gossipgrid_guests', 'Guests that are connected to this peer.', (m) => m.guests?.connected),
  counter(
    'gossipgrid_guest_writes_total',
    'Writes of guests, by what became of them.',
    ({ guests }) =>
      guests === undefined
        ? []
        : [
            { labels: { result: 'taken' }, value: guests.writesTaken },
            { labels: { result: 'refused' }, value: guests.writesRefused },
          ],
    'result',
  ),
]
