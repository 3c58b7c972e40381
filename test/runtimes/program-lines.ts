import type { Readable } from 'node:stream'
import { textLines } from '../../packages/cli/src/formats/json/lines.ts'

const LINE_MAX_BYTES = 256 * 1024 * 1024

/** The lines that a program prints. Its output stays open for a reader that stops before the end. */
export function programLines(output: Readable): AsyncGenerator<string, void, undefined> {
  return textLines(output.iterator({ destroyOnReturn: false }), LINE_MAX_BYTES)
}
