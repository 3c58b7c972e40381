import { callApplication, textOfError } from './flow/application-calls.ts'
import type { LogFields, Logger } from './logger.ts'
import { quietLogger } from './logger.ts'

/** Wraps a logger so that its errors harm nothing. Its first error is reported on the console. */
export function safeLogger(logger: Logger): Logger {
  let reported = false
  const at = (level: keyof Logger) => (message: string, fields?: LogFields) => {
    const call = (): unknown => (fields === undefined ? logger[level](message) : logger[level](message, fields))
    callApplication(
      call,
      (failure, error) => {
        if (!reported) quietLogger.error(`the logger ${failure}: ${textOfError(error)}; it could not log: ${message}`)
        reported = true
      },
      undefined,
    )
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
