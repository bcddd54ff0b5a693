/**
 * A private key under a passphrase: scrypt makes a key of the passphrase, and ChaCha20-Poly1305 seals with that. What it
 * took stands in the text in the clear, so that it can grow, and is bounded when it is read: a text that somebody else made
 * takes no more than half a gigabyte for a few seconds.
 */
import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto'
import { accept, refuse, type Bytes, type Result } from '@vxmesh/core'
import { z } from 'zod'

const CIPHER = 'chacha20-poly1305'
const [KEY_BYTES, SALT_BYTES, NONCE_BYTES, TAG_BYTES] = [32, 16, 12, 16]

/** 128 MiB and less than a second on a machine of today: the least that OWASP asks for. */
const COST = { log_n: 17, r: 8, p: 1 } as const
const TEXT_MOST = 4096

const sealedText = z.strictObject({
  version: z.literal(1),
  /** Whose key is inside. */
  key: z.string().max(64),
  kdf: z.literal('scrypt'),
  log_n: z.number().int().min(14).max(19),
  r: z.literal(8),
  p: z.number().int().min(1).max(4),
  salt: z.base64().max(64),
  cipher: z.literal(CIPHER),
  nonce: z.base64().length(NONCE_BYTES * (4 / 3)),
  sealed: z.base64().max(1024),
})

type SealedText = z.infer<typeof sealedText>

/** Whether a text is one that needs a passphrase, whole or damaged. */
export function isSealed(text: string): boolean {
  return text.trimStart().startsWith('{')
}

/** One line of JSON that is of no use without the passphrase. `key` says in the clear whose it is. */
export function seal(key: string, secret: Bytes, passphrase: string): string {
  const [salt, nonce] = [randomBytes(SALT_BYTES), randomBytes(NONCE_BYTES)]
  const made = { version: 1, key, kdf: 'scrypt', ...COST, salt: salt.toString('base64'), cipher: CIPHER } as const
  const cipher = createCipheriv(CIPHER, keyOf(made, passphrase), nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(context(made))
  const sealed = Buffer.concat([cipher.update(secret), cipher.final(), cipher.getAuthTag()])
  return JSON.stringify({ ...made, nonce: nonce.toString('base64'), sealed: sealed.toString('base64') })
}

/** What was sealed. A wrong passphrase and a damaged text cannot be told apart. */
export function unseal(text: string, passphrase: string): Result<Bytes> {
  const parsed = text.length > TEXT_MOST ? undefined : sealedText.safeParse(json(text))
  if (parsed?.success !== true) return refuse('not a key under a passphrase, or damaged')
  const { nonce, sealed } = parsed.data
  const bytes = Buffer.from(sealed, 'base64')
  if (bytes.length <= TAG_BYTES) return refuse('not a key under a passphrase, or damaged')
  const decipher = createDecipheriv(CIPHER, keyOf(parsed.data, passphrase), Buffer.from(nonce, 'base64'), { authTagLength: TAG_BYTES })
  decipher.setAAD(context(parsed.data))
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
  try {
    return accept(Uint8Array.from(Buffer.concat([decipher.update(bytes.subarray(0, -TAG_BYTES)), decipher.final()])))
  } catch {
    return refuse('the passphrase is wrong, or the key is damaged')
  }
}

type Cost = Pick<SealedText, 'log_n' | 'r' | 'p' | 'salt'>

function keyOf({ log_n, r, p, salt }: Cost, passphrase: string): Buffer {
  const N = 2 ** log_n
  // Typed on two keyboards an accented letter may be one character or two.
  return scryptSync(passphrase.normalize('NFC'), Buffer.from(salt, 'base64'), KEY_BYTES, { N, r, p, maxmem: 256 * N * r })
}

/** What stands in the clear is sealed as well: nobody can change it unnoticed. */
function context({ version, key, kdf, log_n, r, p, salt, cipher }: Cost & Pick<SealedText, 'version' | 'key' | 'kdf' | 'cipher'>): Buffer {
  return Buffer.from(['vxmesh-key', version, key, kdf, log_n, r, p, salt, cipher].join('/'))
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
