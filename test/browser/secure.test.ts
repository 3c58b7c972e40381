import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openGrid } from 'gossipgrid'
import type { Grid } from 'gossipgrid'
import { Chromium, bundlePage, serveSite } from './browser-rig.ts'
import type { Site } from './browser-rig.ts'
import { Tab } from './tab.ts'

let site: Site
let browser: Chromium
let server: Grid

/** A self-signed certificate, made for this test. */
function makeCertificate(): { cert: string; key: string } {
  const folder = mkdtempSync(join(tmpdir(), 'gossipgrid-tls-'))
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  execFileSync('openssl', [...made, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  const certificate = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
  rmSync(folder, { recursive: true })
  return certificate
}

beforeAll(async () => {
  const tls = makeCertificate()
  site = await serveSite(await bundlePage('grid-page'), { tls })
  browser = await Chromium.start()
  server = await openGrid({ name: 'secure', listen: ['/ip4/127.0.0.1/tcp/0/tls/ws'], tls, mdns: false })
})

afterAll(async () => {
  await browser?.close()
  await server?.close()
  await site?.close()
})

it('a tab of an https page reaches a server peer over secure WebSockets', async () => {
  expect(server.addresses[0]).toContain('/tls/ws')
  const tab = await new Tab(await browser.tab(site.url)).open({ name: 'secure', join: server.addresses })
  await tab.set('a', 1)
  await expect.poll(() => server.map('numbers').get('a')).toBe(1)
  await server.map('numbers').set('b', 2)
  await expect.poll(() => tab.get('b')).toBe(2)
})
