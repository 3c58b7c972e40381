import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { RUNTIMES } from './trial-peer.ts'
import type { PortFuzzFigures } from './port-fuzz.ts'

const run = promisify(execFile)
const command = fileURLToPath(new URL('port-fuzz-command.ts', import.meta.url))

describe('strangers that send anything to the ports, and servers that answer anything, end no peer and delay no other', () => {
  it.each(RUNTIMES)('on %s', async (_name, [program = '', ...words]) => {
    const { stdout } = await run(program, [...words, command, '--attacks', '90'], { timeout: 110_000 })
    const figures = JSON.parse(stdout.trim().split('\n').at(-1) as string) as PortFuzzFigures
    expect(figures).toMatchObject({ wronglyReached: 0, attacks: 90, served: 15 })
    expect(figures.heapGrownBytes).toBeLessThan(16 * 1024 * 1024)
  })
})
