import { fileURLToPath } from 'node:url'

/** A server runtime that runs the library. */
export type Runtime = 'node' | 'deno' | 'bun'
export const RUNTIMES: readonly Runtime[] = ['node', 'deno', 'bun']

const FLAGS: Readonly<Record<Runtime, readonly string[]>> = {
  node: [],
  deno: ['run', '--allow-all', '--no-lock', '--node-modules-dir=manual'],
  bun: [],
}

/** The program of a runtime in this project, and its arguments before the path of a script. */
export function runtimeCommand(runtime: Runtime): readonly [binary: string, ...flags: string[]] {
  return [fileURLToPath(new URL(`../../node_modules/.bin/${runtime}`, import.meta.url)), ...FLAGS[runtime]]
}
