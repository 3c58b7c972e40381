import { openGrid } from 'gossipgrid'

const grid = await openGrid({ name: 'shop' })
const stock = grid.map<number>('stock')
const orders = grid.map<{ item: string }>('orders')
await stock.set('tea', 10)

orders.on('change', ({ key }) => console.log(key, stock.peek('tea'))) // o-17 9: never an order without its effect
await grid.transact((batch) => {
  const left = batch.map<number>('stock').get('tea') ?? 0
  if (left === 0) throw new Error('sold out') // and nothing is written
  batch.map<number>('stock').set('tea', left - 1)
  batch.map<{ item: string }>('orders').set('o-17', { item: 'tea' })
})
console.log(stock.peek('tea'), orders.peek('o-17')) // 9 { item: 'tea' }
await grid.close()
