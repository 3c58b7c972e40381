/** Takes note of so many steps of work. It may end the work by throwing. */
export type Spend = (steps: number) => void

/** For work that nothing bounds. */
export const spendFreely: Spend = () => undefined
