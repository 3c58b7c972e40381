import { SignJWT, generateKeyPair } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { PASS_TYPE, readPass } from '../pass-text.ts'
import { passKeysOf } from './pass-keys.ts'
import { Passes } from './passes.ts'

const HOUR_MS = 3_600_000
const GRANTS = [{ map: 'todos', prefix: '42/', may: 'write' as const }]
const OPTIONS = { subject: 'ada', expiresInMs: HOUR_MS, grants: GRANTS }

let nowMs = 1_800_000_000_000
const clock = (): number => nowMs
let passes: Passes

async function passesOf(name: string, ...secrets: string[]): Promise<Passes> {
  return new Passes(name, await passKeysOf(name, secrets), clock)
}

beforeAll(async () => {
  passes = await passesOf('shop', 'secret')
})

describe('a pass', () => {
  it('says what it was issued with, to every member of the grid', async () => {
    const pass = await passes.issue({ ...OPTIONS, id: 'p1' })
    const other = await passesOf('shop', 'secret')
    const content = { id: 'p1', subject: 'ada', grants: GRANTS, grid: 'shop', expiresAtMs: nowMs + HOUR_MS }
    expect(await other.check(pass, 'any peer')).toEqual(content)
    expect(readPass(pass)).toMatchObject(content)
    expect(pass).not.toContain('secret')
  })

  it('counts while the secret changes, by the new one and the former one', async () => {
    const pass = await passes.issue(OPTIONS)
    await (await passesOf('shop', 'newer', 'secret')).check(pass, 'a')
    await expect((await passesOf('shop', 'newer')).check(pass, 'a')).rejects.toMatchObject({ code: 'PASS_INVALID' })
  })

  it('ends', async () => {
    const pass = await passes.issue({ ...OPTIONS, expiresInMs: 1000 })
    await passes.check(pass, 'a')
    nowMs += 2001
    await expect(passes.check(pass, 'a')).rejects.toMatchObject({ message: expect.stringContaining('expired') })
  })

  it('that is bound to a peer is good for no other one', async () => {
    const pass = await passes.issue({ ...OPTIONS, peerId: 'ada' })
    expect((await passes.check(pass, 'ada')).peerId).toBe('ada')
    await expect(passes.check(pass, 'eve')).rejects.toMatchObject({ message: expect.stringContaining('another peer') })
  })
})

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

describe('what is no pass is refused', () => {
  const claims = (): Record<string, unknown> => ({
    ...{ sub: 'ada', jti: 'x', aud: 'shop', grants: [{ map: 'salaries', may: 'write' }] },
    ...{ iat: nowMs / 1000, exp: nowMs / 1000 + 60 },
  })

  it('unsigned, with a key of its own in the header, by another algorithm, of another type, cut, joined or changed', async () => {
    const pass = await passes.issue(OPTIONS)
    const [head, body, signature] = pass.split('.') as [string, string, string]
    const { privateKey, publicKey } = await generateKeyPair('Ed25519', { extractable: true })
    const jwk = await (await import('jose')).exportJWK(publicKey)
    const sign = (header: Record<string, unknown>, key: Parameters<SignJWT['sign']>[0]): Promise<string> =>
      new SignJWT(claims()).setProtectedHeader({ alg: 'EdDSA', typ: PASS_TYPE, ...header }).sign(key)
    const shared = Buffer.from((passes.keys[0]!.jwk.x + '='.repeat(1)).slice(0, 43))
    const bad = [
      `${encoded({ alg: 'none', typ: PASS_TYPE })}.${encoded(claims())}.`,
      `${encoded({ alg: 'None', typ: PASS_TYPE })}.${encoded(claims())}.${signature}`,
      `${head}.${encoded(claims())}.${signature}`,
      `${head}.${body}.`,
      `${head}.${body}`,
      `${pass}.${signature}`,
      `${body}.${head}.${signature}`,
      await sign({ jwk }, privateKey),
      await sign({ jwk: passes.keys[0]!.jwk }, privateKey),
      await sign({ alg: 'HS256' }, shared),
      await sign({ typ: 'JWT' }, passes.keys[0]!.privateKey),
      await sign({ crit: ['b64'], b64: false }, passes.keys[0]!.privateKey).catch(() => ''),
      '',
      '..',
      'x'.repeat(20_000),
    ]
    for (const text of bad) {
      await expect(passes.check(text, 'a'), text.slice(0, 60)).rejects.toMatchObject({ code: 'PASS_INVALID' })
    }
    for (const nothing of [undefined, null, 5, {}, [pass]])
      await expect(passes.check(nothing, 'a')).rejects.toMatchObject({ code: 'PASS_INVALID' })
  })

  it('signed by a member and without what a pass has, or for too long', async () => {
    const signed = (change: Record<string, unknown>): Promise<string> =>
      new SignJWT({ ...claims(), ...change })
        .setProtectedHeader({ alg: 'EdDSA', typ: PASS_TYPE })
        .sign(passes.keys[0]!.privateKey)
    await passes.check(await signed({}), 'a')
    for (const change of [
      { aud: 'other' },
      { aud: undefined },
      { sub: undefined },
      { jti: undefined },
      { exp: undefined },
      { exp: nowMs / 1000 + 40 * 24 * 3600 },
      { exp: '9999999999' },
      { grants: undefined },
      { grants: [] },
      { grants: [{ map: 'a', may: 'own' }] },
      { grants: [{ shape: 'chat', may: 'write' }] },
      { sub: 'a\nb' },
      { sub: 'x'.repeat(129) },
      { peer: 5 },
    ]) {
      const checking = passes.check(await signed(change), 'a')
      await expect(checking, JSON.stringify(change)).rejects.toMatchObject({ code: 'PASS_INVALID' })
    }
  })
})

describe('issuePass refuses', () => {
  it.each([
    [{}],
    [{ subject: '' }],
    [{ subject: 5 }],
    [{ subject: 'x'.repeat(129) }],
    [{ expiresInMs: 999 }],
    [{ expiresInMs: 32 * 24 * HOUR_MS }],
    [{ expiresInMs: '1h' }],
    [{ grants: [] }],
    [{ id: '' }],
    [{ peerId: '' }],
    [{ expires: 5 }],
  ])('%j', async (wrong) => {
    const options = Object.keys(wrong).length === 0 ? wrong : { ...OPTIONS, ...wrong }
    await expect(passes.issue(options as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })
})
