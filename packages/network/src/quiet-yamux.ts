import { yamux } from '@libp2p/yamux'

/**
 * Streams over one connection. Yamux itself would ping each connection every 30 s, from both sides. All that use this look
 * after silent connections themselves.
 */
export function quietYamux(): ReturnType<typeof yamux> {
  return yamux({ enableKeepAlive: false })
}
