import { fileURLToPath } from 'node:url'
import { AskedProcess } from './asked-process.ts'
import type { MatrixCalls, RemotePeer } from './matrix-calls.ts'
import { runtimeCommand } from './runtime.ts'
import type { Runtime } from './runtime.ts'

const PROGRAM = fileURLToPath(new URL('matrix-process.ts', import.meta.url))

/** A running `matrix-process.ts`. */
export class ProcessPeer extends AskedProcess<MatrixCalls> implements RemotePeer {
  constructor(runtime: Runtime) {
    super(runtime, [...runtimeCommand(runtime), PROGRAM])
  }
}
