import type { DialWindow } from './dial-window.ts'
import type { Certificate } from './servers-outside.ts'
import type { OpenSockets } from './socket-ends.ts'
import type { Newcomers } from './strangers/newcomers.ts'
import type { Traffic } from './traffic.ts'

/** What transports work with. */
export interface TransportsInput {
  readonly traffic: Traffic
  readonly newcomers: Newcomers
  readonly dialWindow: DialWindow
  readonly sockets: Pick<OpenSockets, 'add'>
  readonly tls: Certificate | undefined
}
