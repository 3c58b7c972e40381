export { deriveChannel } from './channel.ts'
export type { Channel } from './channel.ts'
export * from './libp2p-network.ts'
export type { Certificate, IceServer } from './preset.ts'
