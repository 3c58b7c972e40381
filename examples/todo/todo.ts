/** One thing to do. The key of its entry is its id. */
export interface Todo {
  readonly text: string
  readonly done: boolean
  readonly addedAtMs: number
}

/** The actions of the list on the grid. */
export interface TodoActions {
  add(text: string): Promise<unknown>
  edit(id: string, change: Partial<Todo>): Promise<unknown>
  remove(id: string): Promise<unknown>
}
