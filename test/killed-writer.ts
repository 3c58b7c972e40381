/** Writes for ever and tells its parent of every acknowledged write, until it is killed. Arguments: directory, first number. */
import { openGrid } from 'gossipgrid'

const [directory, first] = process.argv.slice(2)
const grid = await openGrid({ name: 'killed', directory: directory!, listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false })
const map = grid.map<number>('numbers')

for (let number = Number(first); ; number++) {
  const receipt = await map.set(`key ${number}`, number)
  process.stdout.write(`${number} ${receipt.durable}\n`)
}
