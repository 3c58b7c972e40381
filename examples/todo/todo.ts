/** One thing to do. The key of its entry is its id. */
export interface Todo {
  readonly text: string
  readonly done: boolean
  readonly addedAtMs: number
}
