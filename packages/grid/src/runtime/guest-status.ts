import type { DocumentKey, GridError, Peer } from '@gossipgrid/core'

/** The state of a guest of a grid. */
export interface GuestStatus {
  /** `connected`: a member serves it. */
  readonly state: 'connected' | 'offline'
  /** Since it connected, it has got all that its pass covers, as far as the member has it. */
  readonly isCaughtUp: boolean
  /** Whom its pass is for. Undefined before the first pass. */
  readonly subject: string | undefined
  /** When its pass ends, by wall time in milliseconds. Undefined until it has one. */
  readonly expiresAtMs: number | undefined
  /** Own writes that no member has answered. */
  readonly waitingWrites: number
  /** Why it is offline, for people. '' while it is connected. */
  readonly problem: string
}

/** How a member serves guests, in figures. */
export interface GuestsStatus {
  /** Addresses for guests to join by. */
  readonly addresses: readonly string[]
  /** Guests that are connected now. */
  readonly connected: number
  /** Their writes since opening that were taken. */
  readonly writesTaken: number
  /** And those that were refused. */
  readonly writesRefused: number
}

/** The documents that are open at a guest. */
export interface OpenedAtGuest {
  /** A member has let the guest in, by whatever pass. */
  welcome(): void
  /** A member has refused edits of a document. `rows` are the values of these, and of those after them. */
  refuse(name: string, error: GridError, rows: readonly Uint8Array[]): void
}

/** What documents are at a guest: it stands for the peer that edits them. */
export interface GuestDocuments extends Pick<Peer, 'collections' | 'replicaId'> {
  /** The first number of client ids; another one at each opening. */
  readonly firstNonce: number
  /** Undefined before the first document is opened. */
  opened: () => OpenedAtGuest | undefined
  /** Whether a row is one of this guest, which members issue. */
  isOwn(parts: DocumentKey): boolean
  /** `FORBIDDEN` for a document that the pass does not cover, `NETWORK_NOT_CONNECTED` before a member has let the guest in. */
  refusal(name: string): GridError | undefined
  /** Throws the refusal, if there is one. */
  check(name: string): void
}
