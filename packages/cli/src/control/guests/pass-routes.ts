import { readPass } from 'gossipgrid'
import type { Grid, PassOptions } from 'gossipgrid'
import type { Hono } from 'hono'
import { parseJson } from '../../formats/json/json-fault.ts'
import type { PassAnswer, RevokeAnswer } from './pass-answers.ts'

/** The calls about passes of guests. */
export function addPassRoutes(app: Hono, grid: Grid): void {
  app.post('/v1/pass', async (c) => {
    const pass = await grid.issuePass(parseJson(await c.req.text()) as PassOptions)
    const { expiresAtMs, grants, id, subject } = readPass(pass)
    const answer: PassAnswer = { pass, id, subject, expiresAtMs, grants }
    return c.json(answer)
  })
  app.post('/v1/pass-revoked', async (c) => {
    const { pass } = parseJson(await c.req.text()) as { readonly pass: string }
    await grid.revokePass(pass)
    const answer: RevokeAnswer = { id: pass.includes('.') ? readPass(pass).id : pass }
    return c.json(answer)
  })
}
