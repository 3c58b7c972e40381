import { matrixPeer } from '../../runtimes/matrix-peer.ts'

/** A peer of the matrix in a tab, which listens where tabs do and not where it is asked to. */
const { open, ...others } = matrixPeer()
const page: typeof others & { open: typeof open } = {
  ...others,
  open: ({ self, join }) => open({ self, join }),
}
Object.assign(globalThis, { matrixPeer: page })
