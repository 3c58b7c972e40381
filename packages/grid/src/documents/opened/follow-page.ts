/** Stores the last edits when the page is hidden. Says goodbye when it ends, and introduces its users when it is restored. */
export function followPage(
  signal: AbortSignal,
  { left, save, shown }: { save(): void; left(): void; shown(): void },
): void {
  if (globalThis.document === undefined) return
  for (const type of ['visibilitychange', 'freeze']) globalThis.document.addEventListener(type, save, { signal })
  globalThis.addEventListener('pagehide', save, { signal })
  globalThis.addEventListener('pagehide', left, { signal })
  globalThis.addEventListener('pageshow', shown, { signal })
}
