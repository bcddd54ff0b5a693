import { expect, test } from 'vitest'
import { seal, unseal } from './sealed.ts'

const SECRET = Uint8Array.from({ length: 68 }, (_, at) => at)
const TEXT = seal('12D3KooW', SECRET, 'correct horse')
const parts: Readonly<Record<string, unknown>> = JSON.parse(TEXT)

test('what is sealed comes back by the passphrase, and says nothing of itself', () => {
  expect(unseal(TEXT, 'correct horse')).toEqual({ ok: true, value: SECRET })
  expect(TEXT).toContain('"key":"12D3KooW"')
  expect(TEXT).not.toContain(Buffer.from(SECRET).toString('base64').slice(0, 20))
  expect(seal('12D3KooW', SECRET, 'correct horse')).not.toBe(TEXT)
})

test('a passphrase typed with the accent after the letter is the same', () => {
  const typed = seal('k', SECRET, 'caf\u00E9 du nord')
  expect(unseal(typed, 'cafe\u0301 du nord').ok).toBe(true)
})

const WRONG = 'the passphrase is wrong, or the key is damaged'
const DAMAGED = 'not a key under a passphrase, or damaged'

test.each<[string, string, string, string]>([
  ['another passphrase', TEXT, 'correct horse.', WRONG],
  ['the name of another key', changed({ key: '12D3KooX' }), 'correct horse', WRONG],
  ['another salt', changed({ salt: Buffer.alloc(16).toString('base64') }), 'correct horse', WRONG],
  ['another nonce', changed({ nonce: Buffer.alloc(12).toString('base64') }), 'correct horse', WRONG],
  ['a cost that would take all memory', changed({ log_n: 30 }), 'correct horse', DAMAGED],
  ['a cost that protects nothing', changed({ log_n: 1 }), 'correct horse', DAMAGED],
  ['work for an hour', changed({ p: 1_000_000 }), 'correct horse', DAMAGED],
  ['a version to come', changed({ version: 2 }), 'correct horse', DAMAGED],
  ['another cipher', changed({ cipher: 'none' }), 'correct horse', DAMAGED],
  ['something more', changed({ more: 1 }), 'correct horse', DAMAGED],
  ['nothing inside', changed({ sealed: Buffer.alloc(16).toString('base64') }), 'correct horse', DAMAGED],
  ['a nonce that is too short', changed({ nonce: 'AAAA' }), 'correct horse', DAMAGED],
  ['half of it', TEXT.slice(0, TEXT.length / 2), 'correct horse', DAMAGED],
  ['a text without an end', `{${'x'.repeat(100_000)}`, 'correct horse', DAMAGED],
])('with %s it does not open', (_name, text, passphrase, reason) => {
  expect(unseal(text, passphrase)).toEqual({ ok: false, reason })
})

function changed(others: object): string {
  return JSON.stringify({ ...parts, ...others })
}
