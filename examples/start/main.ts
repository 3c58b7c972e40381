/** `npm run example -- todo`: serves the apps of this folder, with one server peer for their tabs to meet at. */
import { parseArgs } from 'node:util'
import { serveApps } from './app-server.ts'

const APPS = ['todo', 'board', 'editor']

const USAGE = `Usage: npm run example -- <${APPS.join('|')}> [--host <address>] [--port <port>] [--directory <path>]

  --host       the IPv4 address to listen on (127.0.0.1)
  --port       the port of the pages (5173, or the next one that is free)
  --directory  where the server peer keeps the grid; without it, in memory: what is in the tabs comes back from them`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '5173' },
    directory: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
const [app = ''] = positionals
if (values.help || !APPS.includes(app)) {
  console.log(USAGE)
  process.exit(values.help ? 0 : 2)
}

const { host, port, directory } = values
const server = await serveApps({ name: 'examples', host, port: Number(port), directory })
console.log(`
  ${server.url}${app}/

  Open it in two tabs or two browsers. Ctrl-C ends it; the tabs go on without it.`)
if (host !== '127.0.0.1') {
  console.log(`
  From another device a browser lets a page store and encrypt only over https. Put a TLS proxy in front, or for a phone on a
  cable: adb reverse tcp:${new URL(server.url).port} tcp:${new URL(server.url).port}`)
}
process.once('SIGINT', () => void server.close())
process.once('SIGTERM', () => void server.close())
