import type { Logger } from '../logger.ts'
import type { RuntimeOptions } from '../runtime/runtime.ts'
import type { GridTracer } from '../runtime/safe-tracer.ts'

/** Spans around writes are loaded with the first tracer: most grids have none. */
export async function tracingOf(
  tracer: GridTracer | undefined,
  name: string,
  logger: Logger,
): Promise<RuntimeOptions['trace']> {
  if (tracer === undefined) return undefined
  const { WriteTracing } = await import('../runtime/write-tracing.ts')
  return (writes) => new WriteTracing(writes, { tracer, grid: name, logger })
}
