import { spawn } from 'node:child_process'
import { once } from 'node:events'
import xterm from '@xterm/headless'
import type { Terminal } from '@xterm/headless'
import type { TerminalFrame, TerminalRun, TerminalSize } from './terminal-svg.ts'

/** Changes within this time are one frame. */
const FRAME_MS = 500
const FRAMES_MAX = 80
/** A reader waits no longer for the next change, whatever the run took. */
const PAUSE_MAX_MS = 900

/**
 * Runs a command in a terminal of its own, by `script` of util-linux, and records what it shows. Long pauses are shortened. Throws if the
 * command fails.
 */
export async function recordTerminal(command: string, size: TerminalSize): Promise<TerminalFrame[]> {
  const terminal = new xterm.Terminal({ cols: size.columns, rows: size.rows, allowProposedApi: true })
  const sized = `stty cols ${size.columns} rows ${size.rows}; ${command}`
  const child = spawn('script', ['--quiet', '--return', '--flush', '--command', sized, '/dev/null'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TERM: 'xterm-256color' },
  })
  const ended = once(child, 'exit')
  const frames: TerminalFrame[] = []
  let seenMs = performance.now()
  let atMs = 0
  for await (const bytes of child.stdout as AsyncIterable<Buffer>) {
    const nowMs = performance.now()
    if (nowMs - seenMs >= FRAME_MS) {
      add(frames, { atMs, rows: rowsOf(terminal) })
      atMs += Math.min(nowMs - seenMs, PAUSE_MAX_MS)
      seenMs = nowMs
    }
    await new Promise<void>((resolve) => terminal.write(bytes, resolve))
  }
  add(frames, { atMs: atMs + FRAME_MS, rows: rowsOf(terminal) })
  const [code] = (await ended) as [number | null]
  if (code !== 0) throw new Error(`${command} ended with ${code}`)
  return thinned(frames)
}

/** The picture of a slow run is no larger than that of a quick one. */
function thinned(frames: readonly TerminalFrame[]): TerminalFrame[] {
  const every = Math.ceil(frames.length / FRAMES_MAX)
  return frames.filter((_, i) => (frames.length - 1 - i) % every === 0)
}

/** A frame that shows the same as the one before is none. */
function add(frames: TerminalFrame[], frame: TerminalFrame): void {
  const last = frames.at(-1)
  if (last !== undefined && JSON.stringify(last.rows) === JSON.stringify(frame.rows)) return
  frames.push(frame)
}

function rowsOf(terminal: Terminal): TerminalRun[][] {
  const { active } = terminal.buffer
  return Array.from({ length: terminal.rows }, (_, y) => runsOf(terminal, active.viewportY + y))
}

function runsOf(terminal: Terminal, y: number): TerminalRun[] {
  const line = terminal.buffer.active.getLine(y)
  const runs: { column: number; text: string; look: string }[] = []
  for (let column = 0; line !== undefined && column < terminal.cols; column++) {
    const cell = line.getCell(column)!
    const text = cell.getChars() || ' '
    const colour = cell.isFgPalette() ? `c${cell.getFgColor()}` : ''
    const look = [cell.isBold() ? 'bold' : '', cell.isDim() ? 'dim' : '', colour]
      .filter((each) => each !== '')
      .join(' ')
    const run = runs.at(-1)
    if (run?.look === look) run.text += text
    else runs.push({ column, text, look })
  }
  return runs.flatMap(words)
}

/** Without the spaces between words that stand apart: a picture would not keep them. */
function words({ column, text, look }: TerminalRun): TerminalRun[] {
  return [...text.matchAll(/\S+(?: \S+)*/g)].map((word) => ({ column: column + word.index, text: word[0], look }))
}
