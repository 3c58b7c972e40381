import fc from 'fast-check'

/** Values of every scalar type, chosen so that equal ones and neighbours in the order are frequent. */
export const anyScalar: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(undefined, null, true, false, 0, 1, 2, -1, 0.5, Number.NaN, Infinity, -Infinity),
  fc.constantFrom<unknown>(0n, 1n, 2n ** 60n, -(2n ** 60n), 2 ** 60, 70_000, -70_000, 2 ** 33),
  fc.constantFrom<unknown>('', 'a', 'ab', 'b', 'Lyon', 'é', '\uFEFFa', '\u{1F600}', '\uFFFF', 'x'.repeat(1500)),
  fc.constantFrom<unknown>(new Date(0), new Date(1), new Date(-1.5e12), Uint8Array.of(), Uint8Array.of(1, 2)),
  fc.double(),
  fc.string({ unit: 'grapheme', maxLength: 5 }),
)

/** Scalars, and small arrays and objects of them. */
export const anyValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: anyScalar },
  { weight: 1, arbitrary: fc.array(anyScalar, { maxLength: 3 }) },
  { weight: 1, arbitrary: fc.dictionary(fc.constantFrom('a', 'b'), anyScalar, { maxKeys: 2 }) },
)
