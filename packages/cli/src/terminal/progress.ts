import { colorsFor } from './colors.ts'
import { bytesText, countText } from './quantities.ts'

const REDRAWS_PER_SECOND = 8

/** The progress of a transfer. */
export interface Progress {
  /** `done` and `total` have the same unit, for the bar; `rows` is for people. 0 when the total is unknown. */
  show(rows: number, done: number, total: number): void
  stop(): void
}

/** A bar on stderr, where that is a terminal; nothing elsewhere. `rowsBefore` were done by an earlier run. */
export async function progressBar(unit: 'bytes' | 'rows', rowsBefore: number = 0): Promise<Progress> {
  if (!process.stderr.isTTY) return { show: () => undefined, stop: () => undefined }
  const { default: cliProgress } = await import('cli-progress')
  const startMs = performance.now()
  const { cyan } = colorsFor(process.stderr)
  const bar = new cliProgress.SingleBar(
    {
      stream: process.stderr,
      fps: REDRAWS_PER_SECOND,
      hideCursor: true,
      clearOnComplete: true,
      format: (options, { progress, value, total }, { rows }: { rows?: number }) => {
        const rowsPerSecond = Math.round(((rows ?? rowsBefore) - rowsBefore) / ((performance.now() - startMs) / 1000))
        const rates = `${countText(rows ?? 0)} rows, ${countText(rowsPerSecond)} a second`
        if (total <= 0) return rates
        const width = 24
        const full = Math.round(Math.min(1, progress) * width)
        const drawn = cyan((options.barCompleteString ?? '').slice(0, full)) + '·'.repeat(width - full)
        const size = unit === 'bytes' ? `${bytesText(value)} of ${bytesText(total)}, ` : ''
        return `${drawn} ${Math.floor(progress * 100)} %  ${size}${rates}`
      },
    },
    cliProgress.Presets.shades_classic,
  )
  bar.start(0, 0, { rows: 0 })
  return {
    show: (rows, done, total) => {
      bar.setTotal(total)
      bar.update(Math.min(done, total), { rows })
    },
    stop: () => bar.stop(),
  }
}
