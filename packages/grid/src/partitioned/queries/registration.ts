import { READ_TIMEOUT_MS } from '@gossipgrid/core'
import type { PartitionName } from '@gossipgrid/core'
import { orAborted } from '../../runtime/waiting.ts'
import type { Pump } from '../../runtime/write-path.ts'
import type { OwnerReadOptions } from '../partition-options.ts'

/** Waits until this peer knows the registration of a collection. Resolves to false if it does not in time. */
export async function isRegistered(
  pump: Pump,
  name: PartitionName,
  { timeoutMs = READ_TIMEOUT_MS, signal }: OwnerReadOptions,
): Promise<boolean> {
  const isKnown = (): boolean => pump.peer.partitions.origin(name) !== undefined
  if (isKnown()) return true
  const { promise, resolve } = Promise.withResolvers<void>()
  const off = pump.afterSteps(() => {
    if (isKnown()) resolve()
  })
  const timer = setTimeout(resolve, timeoutMs)
  pump.closing.addEventListener('abort', () => resolve(), { once: true })
  try {
    await orAborted(promise, signal)
  } finally {
    off()
    clearTimeout(timer)
  }
  pump.checkOpen()
  return isKnown()
}
