import { getCiphers } from 'node:crypto'
import type { Server } from 'node:http'
import { FaultTolerance } from '@libp2p/interface'
import type { Transport } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { asCrypto, defaultCrypto } from '@libp2p/noise/crypto'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import type { Libp2pOptions } from 'libp2p'
import type { Certificate } from './preset.ts'
import { counted } from './traffic.ts'
import type { Traffic } from './traffic.ts'

/** How a server is reached: TCP and WebSockets, the latter over TLS where there is a certificate, with noise and yamux. */
export function serverTransports(traffic: Traffic, tls: Certificate | undefined): Libp2pOptions {
  return {
    transports: [
      counted(tcp(), traffic),
      counted(stoppable(webSockets(tls === undefined ? {} : { https: { cert: tls.cert, key: tls.key } })), traffic),
    ],
    transportManager: { faultTolerance: FaultTolerance.FATAL_ALL },
    connectionEncrypters: [noise(noiseOptions())],
    streamMuxers: [yamux()],
  }
}

/** Bun has no chacha20-poly1305 of its own, and noise then fails on frames of 1,200 bytes and more. */
function noiseOptions(): Parameters<typeof noise>[0] {
  if (getCiphers().includes('chacha20-poly1305')) return {}
  const { chaCha20Poly1305Encrypt, chaCha20Poly1305Decrypt } = asCrypto
  return { crypto: { ...defaultCrypto, chaCha20Poly1305Encrypt, chaCha20Poly1305Decrypt } }
}

/**
 * On Bun, closing an HTTP server that does not itself listen emits no 'close', and the WebSockets listener waits for
 * it: it listens with a plain server and hands the sockets over. Closing it then has to say so itself.
 */
function stoppable<C>(factory: (components: C) => Transport): (components: C) => Transport {
  if (process.versions['bun'] === undefined) return factory
  return (components) => {
    const transport = factory(components)
    const createListener = transport.createListener.bind(transport)
    transport.createListener = (options) => {
      const listener = createListener(options) as ReturnType<typeof createListener> & { http?: Server }
      const close = listener.close.bind(listener)
      listener.close = () => {
        const http = listener.http
        if (http !== undefined) {
          http.close = () => {
            setTimeout(() => http.emit('close'), 0)
            return http
          }
        }
        return close()
      }
      return listener
    }
    return transport
  }
}
