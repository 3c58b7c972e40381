import { openGrid } from 'gossipgrid'
import { GridProvider } from 'gossipgrid/yjs'
import * as Y from 'yjs'

// A Yjs application as it was, but for the line that makes its provider.
const grid = await openGrid({ name: 'moved' })
const ydoc = new Y.Doc()
const provider = new GridProvider(grid, 'my-document', ydoc) // was: new WebsocketProvider('wss://…', 'my-document', ydoc)

provider.on('status', ({ status }) => console.log(status)) // connected
provider.on('sync', (synced) => console.log('synced', synced)) // synced true
provider.awareness.setLocalStateField('user', { name: 'Ada' })

const todo = ydoc.getArray<string>('todo')
todo.push(['move to a grid'])
const undo = new Y.UndoManager(todo)
todo.push(['by mistake'])
undo.undo()

await provider.whenConnected
await provider.flush()
console.log(todo.toArray())
await provider.destroy()
await grid.close()
