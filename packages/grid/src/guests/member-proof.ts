/** What a member signs to show a guest that it is one: good for these two peers, which Noise has authenticated, and once. */
export function proofText(memberId: string, guestId: string, nonce: Uint8Array): Uint8Array<ArrayBuffer> {
  const names = new TextEncoder().encode(`gossipgrid member ${memberId} to guest ${guestId} `)
  const text = new Uint8Array(names.length + nonce.length)
  text.set(names)
  text.set(nonce, names.length)
  return text
}
