/** A peer of the matrix as a process. */
import { answerLines } from './answer-lines.ts'
import type { MatrixCalls } from './matrix-calls.ts'
import { matrixPeer } from './matrix-peer.ts'

answerLines<MatrixCalls>(matrixPeer())
