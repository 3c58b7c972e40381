/** An item of a shared type of Yjs, as much as is read of it. */
interface Item {
  readonly deleted: boolean
  readonly content: { readonly str?: string; readonly type?: SharedType }
  readonly right: Item | null
}

interface SharedType {
  readonly _start: Item | null
}

/**
 * The text of a document that is given as a Yjs update: of all its texts and XML, each element of the XML on a line of its own.
 * Formats, embeds, maps and lists are left out.
 */
export async function documentText(update: Uint8Array): Promise<string> {
  const { Doc, applyUpdate } = await import('yjs')
  const doc = new Doc()
  try {
    applyUpdate(doc, update)
    const names = [...doc.share.keys()].toSorted()
    const texts = names.map((name) => textOf(doc.share.get(name) as unknown as SharedType))
    return texts.filter((text) => text !== '').join('\n')
  } finally {
    doc.destroy()
  }
}

/** An update does not say which of the types at the root of a document are texts, so the items themselves are read. */
function textOf(type: SharedType): string {
  const parts: string[] = []
  addText(type, parts)
  return parts.join('')
}

function addText(type: SharedType, parts: string[]): void {
  for (let item = type._start; item !== null; item = item.right) {
    if (item.deleted) continue
    const { str, type: child } = item.content
    if (str !== undefined) parts.push(str)
    else if (child !== undefined && 'nodeName' in child) addLine(child, parts)
    else if (child !== undefined) addText(child, parts)
  }
}

function addLine(element: SharedType, parts: string[]): void {
  if (parts.length > 0 && !endsLine(parts)) parts.push('\n')
  const before = parts.length
  addText(element, parts)
  if (parts.length === before || !endsLine(parts)) parts.push('\n')
}

function endsLine(parts: readonly string[]): boolean {
  return parts.at(-1)!.endsWith('\n')
}
