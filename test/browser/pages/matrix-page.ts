import { matrixPeer } from '../../runtimes/matrix-peer.ts'

/** A peer of the matrix in a tab. It ignores the addresses to listen on that it gets, and listens like every tab. */
const { open, ...others } = matrixPeer()
const page: typeof others & { open: typeof open } = {
  ...others,
  open: ({ self, join }) => open({ self, join }),
}
Object.assign(globalThis, { matrixPeer: page })
