import type { Grant } from 'gossipgrid'

/** A pass that was issued. */
export interface PassAnswer {
  readonly pass: string
  readonly id: string
  readonly subject: string
  readonly expiresAtMs: number
  readonly grants: readonly Grant[]
}

/** A pass that was revoked. */
export interface RevokeAnswer {
  readonly id: string
}
