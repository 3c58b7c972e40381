/** Freezes a value, with all that is in it. Bytes cannot be frozen. */
export function frozen<Frozen>(value: Frozen): Frozen {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  for (const part of Object.values(value)) frozen(part)
  return Object.freeze(value)
}
