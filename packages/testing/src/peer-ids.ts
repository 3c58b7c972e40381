/** The peer id of a machine. */
export function peerIdOf(index: number): string {
  return `peer-${index}`
}

/** The machine that has a peer id. */
export function indexOf(peerId: string): number {
  return Number(peerId.slice(peerId.indexOf('-') + 1))
}
