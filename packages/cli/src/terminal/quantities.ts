/** 135233 -> '135,233'. */
export function countText(count: number): string {
  return count.toLocaleString('en-US')
}

/** '1 entry', '2,000 entries'. */
export function countOf(count: number, one: string, many: string = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`
}

/** 420 -> '420 ms', 4200 -> '4.2 s'. */
export function durationText(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}

/** 3_720_000 -> '1 hour', 1_036_800_000 -> '12 days'. */
export function spanText(ms: number): string {
  if (ms < 3_600_000) return countOf(Math.max(1, Math.round(ms / 60_000)), 'minute')
  return ms < 2 * 86_400_000 ? countOf(Math.round(ms / 3_600_000), 'hour') : countOf(Math.round(ms / 86_400_000), 'day')
}

/** 1234567 -> '1.2 MB'. */
export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  if (bytes < 1e6) return `${(bytes / 1000).toFixed(0)} kB`
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`
}
