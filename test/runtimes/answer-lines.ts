import process from 'node:process'
import { createInterface } from 'node:readline'
import type { Calls } from './asked-process.ts'

/** What answers each call. */
export type Answering<All extends Calls<All>> = {
  readonly [Name in keyof All]: (ask: All[Name]['ask']) => Promise<All[Name]['answer']>
}

/**
 * Makes a program one that is asked by an `AskedProcess`, on Node, Deno or Bun: each line of its input asks, each line of
 * its output answers. It ends by itself after the call `close`.
 */
export function answerLines<All extends Calls<All>>(answering: Answering<All>): void {
  const answers = answering as Readonly<Record<string, (ask: unknown) => Promise<unknown>>>
  const input = createInterface({ input: process.stdin })
  input.on('line', (line) => void answer(JSON.parse(line)))

  async function answer({ id, call, ask }: { id: number; call: string; ask: unknown }): Promise<void> {
    try {
      tell({ id, answer: await answers[call]!(ask) })
    } catch (error) {
      tell({ id, failure: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
    if (call === 'close') input.close()
  }
}

function tell(told: object): void {
  process.stdout.write(`${JSON.stringify(told)}\n`)
}
