/** Letters that Unicode does not take apart into a plain letter and its mark. */
const PLAIN: Readonly<Record<string, string>> = { ı: 'i', ł: 'l', ß: 'ss', ø: 'o', đ: 'd', æ: 'ae', œ: 'oe', ð: 'd' }

/** A name as people type it: small letters without marks. The page of the demo does the same to what is typed, in `examples/home`. */
export function searchName(name: string): string {
  return name
    .normalize('NFD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll(/[ıłßøđæœð]/g, (letter) => PLAIN[letter] ?? letter)
}

/** A value with the field by which the page of the demo finds it, if it has a name. */
export function searchable<Value extends object>(value: Value): Value & { readonly search?: string } {
  const { name } = value as { readonly name?: unknown }
  return typeof name === 'string' ? { ...value, search: searchName(name) } : value
}
