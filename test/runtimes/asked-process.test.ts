import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { AskedProcess } from './asked-process.ts'
import type { EchoCalls } from './echo-process.ts'
import { RUNTIMES, runtimeCommand } from './runtime.ts'

const PROGRAM = fileURLToPath(new URL('echo-process.ts', import.meta.url))
const TEXTS = ['', 'a\nb', 'one\u2028two\u2029three\u0085four\r\n', '\ufeff', '\u0000', 'é𝄞'.repeat(300_000)]

for (const runtime of RUNTIMES) {
  it(`calls and answers arrive whole at a program on ${runtime}, whatever is in them`, async () => {
    const program = new AskedProcess<EchoCalls>(runtime, [...runtimeCommand(runtime), PROGRAM])
    try {
      expect(await Promise.all(TEXTS.map((text) => program.ask('echo', { text })))).toEqual(
        TEXTS.map((text) => ({ text })),
      )
      await program.ask('close', null)
      expect(await program.ended).toBe(0)
    } finally {
      await program.abandon()
    }
  })
}
