/** Who this host is, and what admits it: made at the first start, kept in the state directory, needed at every other. */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseMeshId, type Admission, type Bytes, type Lineage, type MeshId } from '@vxmesh/core'
import { certifyMember, parseInvite, verifyChain, type ParsedInvite, type Seed } from '@vxmesh/gossip'
import { envelopeVerifier, makeIdentity, parseIdentity, parseSeed, type Identity } from '@vxmesh/gossip/libp2p'
import { z } from 'zod'
import { SEEDS_MOST } from './answers.ts'
import { createFile, makeDirectory, replaceFile, trouble } from './files.ts'
import { invalid, keyText, parseKey, readable, writing } from './keyfile.ts'
import { inBase64, lineageFrom } from './succeeding.ts'

/** A host's key and the certificates that make it a member of a mesh. */
export type Membership = {
  readonly identity: Identity
  readonly mesh: MeshId
  readonly admission: Admission
  /** What it was a member by before a later key of the mesh certified it anew, should that key lose its place to another. */
  readonly former?: Admission | undefined
  /** The keys of the mesh, as far as the certificates need them at least. */
  readonly lineage: Lineage
  /** Those that its invites named. */
  readonly seeds: readonly Seed[]
}

const KEY_FILE = 'identity.key'
const CERTIFICATE_FILE = 'member.json'

const certificateFile = z.object({
  version: z.literal(1),
  mesh: z.string(),
  chain: z.base64(),
  /** Of before a key was rotated. */
  former: z.base64().optional(),
  seeds: z.array(z.string()).default([]),
  /** Older files do not have it. */
  successions: z.array(z.base64()).default([]),
})

/** Reads an invite from its file. */
export function readInvite(path: string): ParsedInvite {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const remedy = 'name the file that "vxmesh init" made, or a copy that this user may read'
    throw invalid(`--invite ${path}`, `cannot be read: ${trouble(error)}; ${remedy}`, error)
  }
  return inviteIn(text, `--invite ${path}`)
}

/** The invite in a text; `where` says of a bad one where it came from. */
export function inviteIn(text: string, where: string): ParsedInvite {
  const invite = parseInvite(envelopeVerifier, text)
  if (!invite.ok) throw invalid(where, invite.reason)
  return invite.value
}

/** The key of this host, made if there is none yet: what an invite can be made for before the host joins. */
export async function loadIdentity(directory: string): Promise<Identity> {
  const path = join(directory, KEY_FILE)
  const text = readable(path, '--state-dir')
  if (text === undefined) {
    const made = await makeIdentity()
    writing('--state-dir', directory, () => {
      makeDirectory(directory)
      createFile(path, keyText(made))
    })
    return made
  }
  const known = parseKey(text)
  if (!known.ok) throw invalid(path, `${known.reason}; restore it from a backup, or remove it to become a new member`)
  return known.value
}

/** Whether there is a membership in a state directory. */
export function isMember(directory: string): boolean {
  return readable(join(directory, CERTIFICATE_FILE), '--state-dir') !== undefined
}

/**
 * The membership in a state directory. At the first start it is made from the invite; later starts need none, and one
 * that is given must be of the same mesh. Nothing is written before everything is known to be good.
 */
export async function loadMembership(directory: string, invite: ParsedInvite | undefined): Promise<Membership> {
  const keyFile = join(directory, KEY_FILE)
  const certificateFile = join(directory, CERTIFICATE_FILE)
  const key = readable(keyFile, '--state-dir')
  const certificate = readable(certificateFile, '--state-dir')
  const known = key === undefined ? undefined : parseKey(key)
  if (known?.ok === false) throw invalid(keyFile, `${known.reason}; restore it from a backup, or remove it to become a new member`)
  if (known !== undefined && certificate !== undefined) return membershipIn(known.value, certificateFile, certificate, invite)
  if (invite === undefined) throw invalid('--invite', `needed at the first start: there is no membership in ${directory}`)
  const identity = known?.value ?? (await makeIdentity())
  const membership = admit(identity, invite)
  writing('--state-dir', directory, () => {
    makeDirectory(directory)
    if (known === undefined) createFile(keyFile, keyText(identity))
  })
  saveMembership(directory, membership)
  return membership
}

/** Gives what takes away again of who this host is that is not there yet: for a first start that comes to nothing. */
export function undoFirstStart(directory: string): () => void {
  const absent = [KEY_FILE, CERTIFICATE_FILE].map((file) => join(directory, file)).filter((file) => !existsSync(file))
  return () => {
    for (const file of absent) rmSync(file, { force: true })
  }
}

/** The membership of a host that has one, by another invite of its mesh: for the same key. Nothing is written. */
export function renewed({ identity, seeds }: Membership, invite: ParsedInvite): Membership {
  return { ...admit(identity, invite), seeds: seeds.slice(0, SEEDS_MOST) }
}

/** The same of certificates that were made elsewhere for this host, by keys of the mesh that it knows. */
export function renewedBy(
  { identity, mesh, lineage }: Pick<Membership, 'identity' | 'mesh' | 'lineage'>,
  chain: Bytes,
  seeds: readonly string[],
): Membership {
  const admitted = verifyChain({ mesh, verifier: envelopeVerifier, lineage }, chain)
  if (!admitted.ok) throw invalid('join', admitted.reason)
  if (admitted.value.peer !== identity.peer) throw invalid('join', 'certificates of another host')
  return { identity, mesh, admission: admitted.value, lineage, seeds: seedsAmong(seeds) }
}

/** Writes down what makes a host a member, whole or not at all. */
export function saveMembership(directory: string, { mesh, admission, former, lineage, seeds }: Membership): void {
  const [chain, before] = [admission, former].map((each) => each && Buffer.from(each.chain).toString('base64'))
  const successions = inBase64(lineage)
  writing('--state-dir', directory, () =>
    replaceFile(join(directory, CERTIFICATE_FILE), `${JSON.stringify({ version: 1, mesh, chain, former: before, seeds, successions })}\n`),
  )
}

/** Signs a member certificate with the invite's key. */
function admit(identity: Identity, invite: ParsedInvite): Membership {
  const { notAfter, until } = invite.bounds
  if (notAfter !== undefined && Date.now() > notAfter)
    throw invalid('--invite', `expired ${new Date(notAfter).toISOString()}; ask for another`)
  if (until !== undefined && Date.now() > until)
    throw invalid('--invite', `memberships by it ended ${new Date(until).toISOString()}; ask for another`)
  const inviter = parseIdentity(invite.privateKey)
  if (!inviter.ok) throw invalid('--invite', `damaged: ${inviter.reason}`)
  const chain = certifyMember(invite.mesh, inviter.value, invite.certificate, identity.peer)
  const { mesh, lineage } = invite
  const admitted = verifyChain({ mesh, verifier: envelopeVerifier, lineage }, chain)
  if (!admitted.ok) throw invalid('--invite', `admits nobody: ${admitted.reason}`)
  return { identity, mesh, admission: admitted.value, lineage, seeds: seedsAmong(invite.seeds) }
}

/** What a state directory says of the key beside it. */
export function membershipIn(identity: Identity, path: string, content: Bytes, invite: ParsedInvite | undefined): Membership {
  const parsed = certificateFile.safeParse(json(content))
  const mesh = parsed.success ? parseMeshId(parsed.data.mesh) : undefined
  if (!parsed.success || mesh?.ok !== true) throw invalid(path, 'is damaged; restore it, or remove it and start with --invite')
  const lineage = lineageFrom(mesh.value, parsed.data.successions)
  if (!lineage.ok) throw invalid(path, 'is damaged; restore it, or remove it and start with --invite')
  const trust = { mesh: mesh.value, verifier: envelopeVerifier, lineage: lineage.value }
  const [admitted, before] = [parsed.data.chain, parsed.data.former ?? ''].map((chain) => verifyChain(trust, fromBase64(chain)))
  if (admitted?.ok !== true || admitted.value.peer !== identity.peer)
    throw invalid(path, 'does not admit the key beside it; remove it and start with --invite')
  if (invite !== undefined && invite.mesh !== mesh.value) {
    const over = `to change over for good: "vxmesh leave" while its daemon runs, then remove ${dirname(path)}`
    throw invalid(
      '--invite',
      `is for mesh ${invite.mesh}, this host is a member of ${mesh.value}; give each mesh its own --state-dir, or, ${over}`,
    )
  }
  // A newer invite may name others: those that the first one named may be gone by now.
  const seeds = seedsAmong([...(invite?.seeds ?? []), ...parsed.data.seeds])
  const former = before?.ok === true && before.value.peer === identity.peer ? before.value : undefined
  return { identity, mesh: mesh.value, admission: admitted.value, former, lineage: lineage.value, seeds }
}

/** What an invite names as a seed and is none is passed over. */
function seedsAmong(texts: readonly string[]): readonly Seed[] {
  const seeds = texts.map(parseSeed).flatMap((seed) => (seed.ok ? [seed.value] : []))
  return [...new Set(seeds)]
}

function fromBase64(text: string): Bytes {
  return Uint8Array.from(Buffer.from(text, 'base64'))
}

function json(content: Bytes): unknown {
  try {
    return JSON.parse(Buffer.from(content).toString('utf8'))
  } catch {
    return undefined
  }
}
