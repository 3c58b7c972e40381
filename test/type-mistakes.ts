import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Programs of users leave out what only this repository wants. */
const LOOSE = {
  isolatedDeclarations: false,
  declaration: false,
  noUnusedLocals: false,
  noImplicitReturns: false,
  jsx: 'react-jsx',
}

/** What TypeScript says of the files of a user, without the mistakes with one of these codes. */
export function typeMistakes(files: readonly string[], ignoredCodes: readonly number[] = []): string[] {
  const { config } = ts.readConfigFile(`${ROOT}tsconfig.json`, (path) => ts.sys.readFile(path)) as {
    config: { compilerOptions: Record<string, unknown> }
  }
  const { options } = ts.convertCompilerOptionsFromJson({ ...config.compilerOptions, ...LOOSE }, ROOT)
  const found = ts.getPreEmitDiagnostics(ts.createProgram(files, options))
  return found.filter(({ code }) => !ignoredCodes.includes(code)).map(mistake)
}

function mistake({ file, start = 0, messageText }: ts.Diagnostic): string {
  const { line = 0 } = file?.getLineAndCharacterOfPosition(start) ?? {}
  return `${file?.fileName.split('/').at(-1)}:${line + 1} ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
}
