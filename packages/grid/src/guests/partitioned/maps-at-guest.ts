import type { MapsRoute, OpenedAtGuest } from '../../collections/partitioned-maps.ts'
import type { Logger } from '../../logger.ts'
import type { OwnerReadOptions } from '../../partitioned/partition-options.ts'
import type { MapWork } from '../../partitioned/routed-map.ts'
import type { GuestMap, GuestMapDeps } from './guest-map.ts'

/** Opens the partitioned maps of a guest. What they do is loaded with the first call. */
export function mapsAtGuest(deps: Pick<GuestMapDeps, 'requests' | 'feeds' | 'pump'>, logger: Logger): MapsRoute {
  return {
    open: <Value>(opened: OpenedAtGuest) => {
      let map: GuestMap<Value>
      return {
        load: async () => {
          const { GuestMap } = await import('./guest-map.ts')
          map = new GuestMap<Value>({ ...deps, ...opened })
          return map
        },
        queries: async () => {
          const { GuestQueries } = await import('./guest-queries.ts')
          return new GuestQueries<Value>(map)
        },
        live: async <Shown>(_: MapWork<Value>, query: unknown, options: OwnerReadOptions) => {
          map.checkRange('')
          const { openGuestLive } = await import('../feeds/live-at-guest.ts')
          return openGuestLive<Shown>({ ...deps, logger, asked: map.asked }, query, options)
        },
      }
    },
  }
}
