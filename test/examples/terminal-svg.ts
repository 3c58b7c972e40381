/** What a terminal shows for a while. */
export interface TerminalFrame {
  /** Since the start of the recording. */
  readonly atMs: number
  readonly rows: readonly (readonly TerminalRun[])[]
}

/** Neighbouring cells of one look. */
export interface TerminalRun {
  readonly column: number
  readonly text: string
  /** Classes of the picture: `bold`, `dim`, and `c0` to `c15` for the colours of a terminal. */
  readonly look: string
}

export interface TerminalSize {
  readonly columns: number
  readonly rows: number
}

const CELL = { width: 8.4, height: 18 } as const
const MARGIN = 16
const BACKGROUND = '#16181d'
const FOREGROUND = '#d8dce4'
const COLOURS = [
  ...['#3b4048', '#f07178', '#8fce7e', '#e6c069', '#6cb2f5', '#c792ea', '#5fd0cf', '#d8dce4'],
  ...['#6b7280', '#ff8b92', '#a9e59a', '#ffd98a', '#8cc8ff', '#dcaef7', '#82e6e5', '#ffffff'],
]
/** The last frame stays so long before the recording begins again. */
const LAST_MS = 6000

/** An animated picture of a recording, without scripts: it moves wherever a page shows it. Where motion is not wanted it shows the last frame. */
export function terminalSvg(frames: readonly TerminalFrame[], { columns, rows }: TerminalSize, title: string): string {
  const [width, height] = [Math.ceil(columns * CELL.width), rows * CELL.height]
  const totalMs = frames.at(-1)!.atMs + LAST_MS
  const drawn = new DrawnRows()
  const strip = frames.map(
    ({ rows: shown }, i) =>
      `<g transform="translate(0 ${i * height})">${shown.map((row, y) => drawn.use(row, y)).join('')}</g>`,
  )
  const steps = frames.map(({ atMs }, i) => `${percent(atMs, totalMs)}{transform:translateY(-${i * height}px)}`)
  const colours = COLOURS.map((colour, i) => `.c${i}{fill:${colour}}`)
  return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${width + 2 * MARGIN}" height="${height + 2 * MARGIN}" viewBox="0 0 ${width + 2 * MARGIN} ${height + 2 * MARGIN}" role="img">
<title>${escaped(title)}</title>
<style>
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:${FOREGROUND};white-space:pre}
.bold{font-weight:700}.dim{opacity:.65}${colours.join('')}
.strip{animation:play ${totalMs}ms infinite;animation-timing-function:step-end}
@keyframes play{${steps.join('')}}
@media (prefers-reduced-motion:reduce){.strip{animation:none;transform:translateY(-${(frames.length - 1) * height}px)}}
</style>
<rect width="100%" height="100%" rx="10" fill="${BACKGROUND}"/>
<defs>${drawn.definitions()}</defs>
<svg x="${MARGIN}" y="${MARGIN}" width="${width}" height="${height}"><g class="strip">
${strip.join('\n')}
</g></svg>
</svg>
`
}

/** Frames share most of their rows, so each is drawn once. */
class DrawnRows {
  readonly #ids = new Map<string, string>()

  use(row: readonly TerminalRun[], y: number): string {
    if (row.length === 0) return ''
    const drawing = row.map(drawRun).join('')
    const id = this.#ids.get(drawing) ?? `r${this.#ids.size}`
    this.#ids.set(drawing, id)
    return `<use xlink:href="#${id}" y="${y * CELL.height}"/>`
  }

  definitions(): string {
    return [...this.#ids].map(([drawing, id]) => `<g id="${id}">${drawing}</g>`).join('\n')
  }
}

/** The width is given, so that any font of the reader's keeps the columns. */
function drawRun({ column, text, look }: TerminalRun): string {
  const place = `x="${round(column * CELL.width)}" y="${CELL.height - 4}" textLength="${round(text.length * CELL.width)}"`
  return `<text ${place}${look === '' ? '' : ` class="${look}"`}>${escaped(text)}</text>`
}

function percent(atMs: number, totalMs: number): string {
  return `${((100 * atMs) / totalMs).toFixed(3)}%`
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10)
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
