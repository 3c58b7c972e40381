/** A STUN or TURN server, as WebRTC takes it. */
export interface IceServer {
  readonly urls: string | string[]
  readonly username?: string
  readonly credential?: string
}

/** A TLS certificate with its chain, and its key, both as PEM text. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}
