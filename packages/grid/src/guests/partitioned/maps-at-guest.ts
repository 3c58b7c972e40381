import type { MapsRoute, OpenedAtGuest } from '../../collections/partitioned-maps.ts'
import type { GuestMap } from './guest-map.ts'
import type { GuestRequests } from './guest-requests.ts'

/** Opens the partitioned maps of a guest. What they do is loaded with the first call. */
export function mapsAtGuest(requests: GuestRequests): MapsRoute {
  return {
    open: <Value>(opened: OpenedAtGuest) => {
      let map: GuestMap<Value>
      return {
        load: async () => {
          const { GuestMap } = await import('./guest-map.ts')
          map = new GuestMap<Value>({ requests, ...opened })
          return map
        },
        queries: async () => {
          const { GuestQueries } = await import('./guest-queries.ts')
          return new GuestQueries<Value>(map)
        },
        live: async () => {
          const { forMembers } = await import('./guest-map.ts')
          throw forMembers('has live queries of partitioned maps')
        },
      }
    },
  }
}
