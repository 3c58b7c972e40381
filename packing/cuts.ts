/** A part of a text. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** Parts that are cut out of a text, with their replacements. A cut inside an earlier one is ignored. */
export class Cuts {
  readonly #cuts: (Span & { readonly by: string })[] = []

  add({ start, end }: Span, by: string): void {
    if (!this.#cuts.some((other) => other.start <= start && end <= other.end)) this.#cuts.push({ start, end, by })
  }

  applied(text: string): string {
    let rest = text
    for (const { start, end, by } of this.#cuts.toSorted((a, b) => b.start - a.start)) {
      rest = rest.slice(0, start) + by + rest.slice(end)
    }
    return rest
  }
}
