import { build } from 'esbuild'
import { expect, it } from 'vitest'
import { withOwnClassNames } from '../../packing/server-bundle.ts'

const SOURCE = `export class Receipt {
  static empty = new Receipt()
  more() {
    const { _Receipt } = { _Receipt: 1 }
    return [new Receipt(), _Receipt, this._Receipt]
  }
}
console.log(Receipt.name, new Receipt())`

it('classes of the published packages have their own names in logs, also those that name themselves', async () => {
  const { outputFiles } = await build({
    stdin: { contents: SOURCE, loader: 'ts' },
    bundle: true,
    format: 'esm',
    write: false,
  })
  const text = outputFiles[0]!.text
  expect(text).toContain('class _Receipt')
  const named = withOwnClassNames(text)
  expect(named).toContain('var Receipt = class Receipt {')
  expect(named).toContain('this._Receipt')
})
