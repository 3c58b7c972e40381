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
  const startMs = performance.now()
  const bar = await shareBar<{ rows: number; value: number; total: number }>(({ rows, total, value }) => {
    const rowsPerSecond = Math.round((rows - rowsBefore) / ((performance.now() - startMs) / 1000))
    const rates = `${countText(rows)} rows, ${countText(rowsPerSecond)} a second`
    const isSized = unit === 'bytes' && total > 0
    return isSized ? `${bytesText(value)} of ${bytesText(total)}, ${rates}` : rates
  })
  return {
    show: (rows, done, total) => bar.show(done, total, { rows, value: Math.min(done, total), total }),
    stop: () => bar.stop(),
  }
}

/** A bar with a text of its own. */
export interface ShareBar<Shown> {
  /** `done` of `total` are done; a total of 0 is unknown. */
  show(done: number, total: number, shown: Shown): void
  stop(): void
}

/** A bar on stderr, where that is a terminal, with what `textOf` says behind it; nothing elsewhere. */
export async function shareBar<Shown>(textOf: (shown: Shown) => string): Promise<ShareBar<Shown>> {
  if (!process.stderr.isTTY) return { show: () => undefined, stop: () => undefined }
  const { default: cliProgress } = await import('cli-progress')
  const { cyan } = colorsFor(process.stderr)
  const bar = new cliProgress.SingleBar(
    {
      stream: process.stderr,
      fps: REDRAWS_PER_SECOND,
      hideCursor: true,
      clearOnComplete: true,
      format: (options, { progress, total }, { shown }: { shown?: Shown }) => {
        const text = shown === undefined ? '' : textOf(shown)
        if (total <= 0) return text
        const width = 24
        const full = Math.round(Math.min(1, progress) * width)
        const drawn = cyan((options.barCompleteString ?? '').slice(0, full)) + '·'.repeat(width - full)
        return `${drawn} ${Math.floor(progress * 100)} %  ${text}`
      },
    },
    cliProgress.Presets.shades_classic,
  )
  bar.start(0, 0, {})
  return {
    show: (done, total, shown) => {
      bar.setTotal(total)
      bar.update(Math.min(done, total), { shown })
    },
    stop: () => bar.stop(),
  }
}
