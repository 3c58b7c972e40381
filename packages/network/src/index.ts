export * from './libp2p-network.ts'
