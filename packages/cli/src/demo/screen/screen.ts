import type { WriteStream } from 'node:tty'
import { createLogUpdate } from 'log-update'
import { colorsFor } from '../../terminal/colors.ts'
import type { Colors } from '../../terminal/colors.ts'
import { wrapped } from '../../terminal/wrapped.ts'

const REDRAW_INTERVAL_MS = 80
/** How often news are printed where lines cannot be redrawn. */
const NEWS_INTERVAL_MS = 1000
const COLUMNS_MAX = 120
const INDENT = '     '

/** Lines that change while a step runs. */
export interface LiveLines {
  /** For a terminal, all lines; drawn many times a second. */
  readonly draw: (columns: number) => readonly string[]
  /** For a file or a pipe, the same in one line; printed every second if it has changed. */
  readonly news: () => string
}

/** The output of the story: a terminal with live lines, or a plain stream. */
export class Screen {
  readonly colors: Colors
  readonly #stream: WriteStream | NodeJS.WriteStream
  readonly #interactive: boolean
  #step = 0

  constructor(stream: NodeJS.WriteStream, environment: NodeJS.ProcessEnv = process.env) {
    this.#stream = stream
    this.#interactive = stream.isTTY === true && environment['TERM'] !== 'dumb'
    this.colors = colorsFor(stream, environment)
  }

  get columns(): number {
    return Math.min(COLUMNS_MAX, (this.#stream.columns ?? 0) || 80)
  }

  title(title: string, text: string): void {
    this.line()
    this.line(`  ${this.colors.bold(title)}  ${this.colors.dim(text)}`)
  }

  /** Begins a numbered step: its title, and why it matters. */
  step(title: string, text: string): void {
    this.#step += 1
    this.line()
    this.line(`  ${this.colors.cyan(`${this.#step}`)}  ${this.colors.bold(title)}`)
    for (const line of wrapped(text, this.columns - INDENT.length - 1)) this.line(INDENT + this.colors.dim(line))
  }

  /** A step has ended well. */
  done(text: string): void {
    this.#marked(this.colors.green('✓'), text)
  }

  failed(text: string): void {
    this.#marked(this.colors.red('✗'), text)
  }

  /** News during a step. */
  note(text: string): void {
    this.#marked(this.colors.yellow('!'), text)
  }

  line(text: string = ''): void {
    this.#stream.write(`${text}\n`)
  }

  /** Shows live lines until `work` is done; their last state stays. */
  async during<T>(lines: LiveLines, work: Promise<T>): Promise<T> {
    const stop = this.#interactive ? this.#redraw(lines) : this.#print(lines)
    try {
      return await work
    } finally {
      stop()
    }
  }

  #marked(mark: string, text: string): void {
    const [first = '', ...rest] = wrapped(text, this.columns - INDENT.length - 3)
    this.line(`${INDENT}${mark} ${first}`)
    for (const line of rest) this.line(`${INDENT}  ${line}`)
  }

  #redraw(lines: LiveLines): () => void {
    const update = createLogUpdate(this.#stream)
    const draw = (): void =>
      update(
        lines
          .draw(this.columns - 1)
          .map((line) => INDENT + line)
          .join('\n'),
      )
    draw()
    const timer = setInterval(draw, REDRAW_INTERVAL_MS)
    return () => {
      clearInterval(timer)
      draw()
      update.done()
    }
  }

  #print(lines: LiveLines): () => void {
    let last = ''
    const print = (): void => {
      const news = lines.news()
      if (news !== last) this.line(INDENT + news)
      last = news
    }
    const timer = setInterval(print, NEWS_INTERVAL_MS)
    return () => {
      clearInterval(timer)
      print()
    }
  }
}
