import './node-version.ts'
export { openRelay } from '@gossipgrid/network/relay'
export type { Relay, RelayOptions } from '@gossipgrid/network/relay'
