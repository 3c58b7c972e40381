/**
 * A peer of the matrix as a process of its own, on Node, Deno or Bun: each line of its input asks, each line of its output
 * answers. It ends by itself once it is closed.
 */
import process from 'node:process'
import { createInterface } from 'node:readline'
import { matrixPeer } from './matrix-peer.ts'

const answering = matrixPeer() as Record<string, (ask: unknown) => Promise<unknown>>
const input = createInterface({ input: process.stdin })
input.on('line', (line) => void answer(JSON.parse(line)))

async function answer({ id, call, ask }: { id: number; call: string; ask: unknown }): Promise<void> {
  try {
    tell({ id, answer: await answering[call]!(ask) })
  } catch (error) {
    tell({ id, failure: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  }
  if (call === 'close') input.close()
}

function tell(told: object): void {
  process.stdout.write(`${JSON.stringify(told)}\n`)
}
