import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { ContenderAnswer, ContenderRequest } from './contender-program.ts'

const ANSWER_MAX_MS = 300_000

/** A relay, or a program with one copy. */
export class ContenderProcess {
  readonly #child: ChildProcess

  constructor(program: string) {
    this.#child = fork(program, [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  }

  async ask(request: ContenderRequest): Promise<ContenderAnswer> {
    this.#child.send(request)
    const signal = AbortSignal.timeout(ANSWER_MAX_MS)
    const [answer] = (await once(this.#child, 'message', { signal })) as [ContenderAnswer]
    if (answer.error !== undefined) throw new Error(answer.error)
    return answer
  }

  end(): void {
    this.#child.kill('SIGKILL')
  }
}
