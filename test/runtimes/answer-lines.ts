import process from 'node:process'
import { textLines } from '../../packages/cli/src/formats/json/lines.ts'
import type { Calls } from './asked-process.ts'

const LINE_MAX_BYTES = 256 * 1024 * 1024

/** What answers each call. */
export type Answering<All extends Calls<All>> = {
  readonly [Name in keyof All]: (ask: All[Name]['ask']) => Promise<All[Name]['answer']>
}

/**
 * Makes a program one that is asked by an `AskedProcess`, on Node, Deno or Bun: each line of its input asks, each line of
 * its output answers. The last call is `close`: then its input ends, and it ends by itself.
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

function tell(told: object): void {
  process.stdout.write(`${JSON.stringify(told)}\n`)
}
