import { callApplication, textOfError } from '../flow/application-calls.ts'
import type { Failure } from '../flow/application-calls.ts'
import type { Logger } from '../logger.ts'

/** Attributes of a span. */
export type Attributes = Record<string, string | number | boolean>

/** Identifies a span. OpenTelemetry's `SpanContext` fits. */
export interface GridSpanContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** 16 hexadecimal digits. */
  readonly spanId: string
  /** 1 if the span is sampled. */
  readonly traceFlags: number
}

/** What gossipgrid needs of a span. OpenTelemetry's `Span` fits. */
export interface GridSpan {
  /** False for a span that is not sampled. Nothing more is done for it. */
  isRecording(): boolean
  /** Identifies the span, for links. */
  spanContext(): GridSpanContext
  /** Adds attributes. */
  setAttributes(attributes: Attributes): unknown
  /** Adds an event. */
  addEvent(name: string, attributes?: Attributes): unknown
  /** Marks the span as failed. */
  setStatus(status: { code: number; message?: string }): unknown
  /** Ends the span. */
  end(): void
}

/** What gossipgrid needs of a tracer. OpenTelemetry's `Tracer` fits. */
export interface GridTracer {
  /** Starts a span. */
  startSpan(name: string, options?: { attributes?: Attributes; links?: { context: GridSpanContext }[] }): GridSpan
}

/** Used where the tracer gave no span. */
const NO_SPAN: GridSpan = {
  isRecording: () => false,
  spanContext: () => ({ traceId: '0'.repeat(32), spanId: '0'.repeat(16), traceFlags: 0 }),
  setAttributes: () => undefined,
  addEvent: () => undefined,
  setStatus: () => undefined,
  end: () => undefined,
}

/** Wraps a tracer so that its errors fail no write. Its first error is logged. */
export function safeTracer(tracer: GridTracer, logger: Logger): GridTracer {
  let logged = false
  const failed = (failure: Failure, error: unknown): void => {
    if (!logged) logger.error(`the tracer ${failure}: ${textOfError(error)}`, { error })
    logged = true
  }
  const safely = <Result>(call: () => Result, otherwise: NoInfer<Result>): Result =>
    callApplication(call, failed, otherwise)
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
