import { expect, it } from 'vitest'
import { pruned } from '../../packing/pruning.ts'

it('what is logged goes, and what is computed stays', () => {
  const text = `
    this.log('opened %s', name)
    connection.log.trace('sent'); log.error('lost'); if (odd) this.log.error('odd')
    work.catch(error => this.log.error('failed - %e', error))
    const bits = Math.log(2), scope = this.log.newScope('x')`
  expect(pruned('module.js', text)).toBe(`
    void 0
    void 0; void 0; if (odd) void 0
    work.catch(error => void 0)
    const bits = Math.log(2), scope = this.log.newScope('x')`)
})

it('of three ways through a message two stay', () => {
  const text = `import { message } from 'protons-runtime'
    message((value, writer) => {}, (reader) => ({}), function* (reader) { yield 1 })
    function stream() { return streamMessage() }
    Kind.stream = stream`
  const rest = pruned('module.js', text)
  expect(rest).toContain('message((value, writer) => {}, (reader) => ({}))')
  expect(rest).not.toContain('stream')
})
