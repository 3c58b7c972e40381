import { expect, it } from 'vitest'
import { terminalSvg } from './terminal-svg.ts'
import type { TerminalFrame } from './terminal-svg.ts'

const SIZE = { columns: 20, rows: 2 }
const prompt = [{ column: 0, text: '$ set users <ada>', look: '' }]
const frames: TerminalFrame[] = [
  { atMs: 0, rows: [prompt, []] },
  { atMs: 4000, rows: [prompt, [{ column: 2, text: 'done', look: 'bold c2' }]] },
]

it('a recording is a picture that shows one frame after the other, and draws equal rows once', () => {
  const svg = terminalSvg(frames, SIZE, 'A & B')
  expect(svg).toContain('<title>A &amp; B</title>')
  expect(svg.match(/set users &lt;ada&gt;/g)).toHaveLength(1)
  expect(svg.match(/href="#r0"/g)).toHaveLength(2)
  expect(svg).toContain('class="bold c2"')
  // Of 10 s, which are the second frame's time and 6 s more.
  expect(svg).toContain('0.000%{transform:translateY(-0px)}40.000%{transform:translateY(-36px)}')
})

it('has no script and loads nothing, so that pages show it', () => {
  expect(terminalSvg(frames, SIZE, 'A')).not.toMatch(/<script|https?:(?!\/\/www\.w3\.org)/)
})
