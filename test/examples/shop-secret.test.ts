import type * as files from 'node:fs/promises'
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openGrid } from 'gossipgrid'
import { expect, it, vi } from 'vitest'
import { ShopServer } from '../../examples/shop/shop-server.ts'

vi.mock(import('node:fs/promises'), async (original) => {
  const real = await original()
  return { ...real, writeFile: vi.fn<typeof real.writeFile>(real.writeFile) }
})

it('a shop with a directory knows the passes of its life before, and no other user of the machine reads its secret', async () => {
  const above = await mkdtemp(join(tmpdir(), 'gossipgrid-shop-'))
  const directory = join(above, 'grid')
  try {
    const first = await ShopServer.open({ host: '127.0.0.1', directory })
    const grants = [{ map: 'baskets', prefix: 'ada/', may: 'write' }] as const
    const pass = await first.grid.issuePass({ subject: 'ada', expiresInMs: 600_000, grants: [...grants] })
    await first.close()
    expect((await stat(`${directory}.secret`)).mode & 0o777).toBe(0o600)
    const again = await ShopServer.open({ host: '127.0.0.1', directory })
    const addresses = again.grid.status().guests!.addresses
    const guest = await openGrid({ name: 'bakery', pass: () => Promise.resolve(pass), join: addresses })
    await guest.map<number>('baskets').set('ada/rye', 2)
    await expect.poll(() => again.grid.map<number>('baskets').peek('ada/rye')).toBe(2)
    await guest.close()
    await again.close()
  } finally {
    await rm(above, { recursive: true, force: true })
  }
})

it('a shop that dies while it writes its secret draws another one at its next start', async () => {
  const above = await mkdtemp(join(tmpdir(), 'gossipgrid-shop-'))
  const directory = join(above, 'grid')
  try {
    const { writeFile: write } = await vi.importActual<typeof files>('node:fs/promises')
    vi.mocked(writeFile).mockImplementationOnce(async (path) => {
      await write(path as string, '')
      throw new Error('the process dies')
    })
    await expect(ShopServer.open({ host: '127.0.0.1', directory })).rejects.toThrow('the process dies')
    const shop = await ShopServer.open({ host: '127.0.0.1', directory })
    await shop.close()
    expect(await readFile(`${directory}.secret`, 'utf8')).toMatch(/^[\w-]{43}$/)
    // Of the second start, nothing else is left.
    expect((await readdir(above)).filter((name) => name.startsWith('grid.secret')).length).toBe(2)
  } finally {
    await rm(above, { recursive: true, force: true })
  }
})
