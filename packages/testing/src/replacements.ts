/** Replaces a method by what `make` returns, which gets the original. Returns a function that restores it. */
export function replaceMethod<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  make: (original: T[K]) => T[K],
): () => void {
  const original = prototype[name]
  prototype[name] = make(original)
  return () => {
    prototype[name] = original
  }
}

/** The same for a getter. */
export function replaceGetter<T extends object, K extends keyof T & string>(
  prototype: T,
  name: K,
  make: (this: T, original: T[K]) => T[K],
): () => void {
  const original = Object.getOwnPropertyDescriptor(prototype, name)!
  Object.defineProperty(prototype, name, {
    ...original,
    get(this: T) {
      return make.call(this, original.get!.call(this) as T[K])
    },
  })
  return () => Object.defineProperty(prototype, name, original)
}
