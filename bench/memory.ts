/** Bytes of live objects, in the heap and in buffers outside it. Needs `--expose-gc`. */
export function liveBytes(): number {
  const { gc } = globalThis
  if (gc === undefined) throw new Error('memory is measured with `node --expose-gc`, as `npm run bench` does')
  for (let i = 0; i < 4; i++) gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
