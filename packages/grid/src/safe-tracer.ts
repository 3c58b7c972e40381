import type { Logger } from './logger.ts'
import type { GridSpan, GridTracer } from './write-tracing.ts'

/** A span of nothing, for when there is none. */
const NO_SPAN: GridSpan = {
  isRecording: () => false,
  spanContext: () => ({ traceId: '0'.repeat(32), spanId: '0'.repeat(16), traceFlags: 0 }),
  setAttributes: () => undefined,
  addEvent: () => undefined,
  setStatus: () => undefined,
  end: () => undefined,
}

/** The same tracer, but what it throws is told once and harms no write. */
export function safeTracer(tracer: GridTracer, logger: Logger): GridTracer {
  let told = false
  const safely = <Result>(call: () => Result, otherwise: Result): Result => {
    try {
      return call()
    } catch (error) {
      if (!told) logger.error(`the tracer threw: ${String(error)}`, { error })
      told = true
      return otherwise
    }
  }
  return {
    startSpan: (name, options) => {
      const span = safely(() => tracer.startSpan(name, options), NO_SPAN)
      return {
        isRecording: () => safely(() => span.isRecording(), false),
        spanContext: () => safely(() => span.spanContext(), NO_SPAN.spanContext()),
        setAttributes: (attributes) => safely(() => span.setAttributes(attributes), undefined),
        addEvent: (event, attributes) => safely(() => span.addEvent(event, attributes), undefined),
        setStatus: (status) => safely(() => span.setStatus(status), undefined),
        end: () => safely(() => span.end(), undefined),
      }
    },
  }
}
