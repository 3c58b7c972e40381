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
