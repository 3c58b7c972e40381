import { spawn } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'

/** Uses strace to make system calls of a running program fail or take long, until `end`. */
export class InjectedFault {
  readonly #strace: ChildProcessWithoutNullStreams

  private constructor(strace: ChildProcessWithoutNullStreams) {
    this.#strace = strace
  }

  /** `fault` in the syntax of strace, such as `error=EIO` or `delay_enter=200000` (microseconds). */
  static async start(pid: number, calls: string, fault: string): Promise<InjectedFault> {
    const strace = spawn('strace', ['-f', '-p', String(pid), '-e', `trace=${calls}`, '-e', `inject=${calls}:${fault}`])
    let printed = ''
    await new Promise<void>((resolve, reject) => {
      strace.once('error', reject)
      strace.once('close', () => reject(new Error(`strace ended: ${printed}`)))
      strace.stderr.on('data', (chunk: Buffer) => {
        printed = (printed + chunk.toString()).slice(-1000)
        if (printed.includes('attached')) resolve()
      })
    })
    return new InjectedFault(strace)
  }

  /** The calls work again when this resolves. */
  async end(): Promise<void> {
    if (this.#strace.exitCode !== null || this.#strace.signalCode !== null) return
    const ended = once(this.#strace, 'close')
    this.#strace.kill('SIGINT')
    await ended
  }
}
