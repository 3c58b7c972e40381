/** The same object without its properties that are undefined. */
export function onlyDefined<Shape extends object>(
  properties: Shape,
): { [Name in keyof Shape]?: Exclude<Shape[Name], undefined> } {
  const defined = Object.entries(properties).filter(([, value]) => value !== undefined)
  return Object.fromEntries(defined) as { [Name in keyof Shape]?: Exclude<Shape[Name], undefined> }
}
