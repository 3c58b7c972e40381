/** Open resources that will be closed together. */
export interface Closable {
  close(): Promise<void>
}

/** Closes in the reverse order of opening. A failure does not stop the rest. Rejects with the first failure. */
export async function closeAll(opened: readonly Closable[]): Promise<void> {
  const failures: unknown[] = []
  for (const each of opened.toReversed()) {
    await each.close().catch((error: unknown) => failures.push(error))
  }
  if (failures.length > 0) throw failures[0]
}
