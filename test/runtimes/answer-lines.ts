import process from 'node:process'
import { textLines } from '../../packages/cli/src/formats/json/lines.ts'
import type { Calls } from './asked-process.ts'

const LINE_MAX_BYTES = 256 * 1024 * 1024

/** Answers each call. */
export type Answering<All extends Calls<All>> = {
  readonly [Name in keyof All]: (ask: All[Name]['ask']) => Promise<All[Name]['answer']>
}

/**
 * Lets an `AskedProcess` call this program, on Node, Deno or Bun: each line of the input is a call, each line of the
 * output an answer. The last call is `close`. Then the input ends, and the program ends by itself.
 */
export function answerLines<All extends Calls<All>>(answering: Answering<All>): void {
  const answers = answering as Readonly<Record<string, (ask: unknown) => Promise<unknown>>>
  void takeAsks()

  async function takeAsks(): Promise<void> {
    for await (const line of textLines(process.stdin, LINE_MAX_BYTES)) void answer(JSON.parse(line))
  }

  async function answer({ id, call, ask }: { id: number; call: string; ask: unknown }): Promise<void> {
    try {
      tell({ id, answer: await answers[call]!(ask) })
    } catch (error) {
      tell({ id, failure: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  }
}

function tell(answer: object): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
