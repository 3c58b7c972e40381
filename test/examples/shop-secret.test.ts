import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openGrid } from 'gossipgrid'
import { expect, it } from 'vitest'
import { ShopServer } from '../../examples/shop/shop-server.ts'

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
