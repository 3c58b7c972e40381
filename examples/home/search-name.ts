/** Letters that Unicode does not take apart into a plain letter and its mark. */
const PLAIN: Readonly<Record<string, string>> = { ı: 'i', ł: 'l', ß: 'ss', ø: 'o', đ: 'd', æ: 'ae', œ: 'oe', ð: 'd' }

/** What was typed, as the demo stores names in `search`: small letters without marks. */
export function searchName(typed: string): string {
  return typed
    .normalize('NFD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll(/[ıłßøđæœð]/g, (letter) => PLAIN[letter] ?? letter)
}
