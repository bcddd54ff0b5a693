/** Invites: made with the key of the mesh and written down beside it, so that they can be listed and revoked. */
import { join } from 'node:path'
import {
  endAfter,
  MeshError,
  parseInterfaceAddress,
  parseMemberName,
  parsePeerId,
  type Bounds,
  type Lineage,
  type PeerId,
  type Result,
} from '@vxmesh/core'
import { ADDRESSES_MOST, certifyInvite, renderInvite } from '@vxmesh/gossip'
import { makeIdentity, parseSeed, privateKeyBytes } from '@vxmesh/gossip/libp2p'
import { z } from 'zod'
import type { StatusReport } from './answers.ts'
import { readOptional, replaceFile, trouble } from './files.ts'
import { lineageIn, readMeshKey, type KeyPlace } from './meshkey.ts'
import { dateOf } from './succeeding.ts'

const ISSUED_FILE = 'invites.json'

const issued = z.object({
  id: z.string(),
  for: z.string().nullable(),
  name: z.string().nullable(),
  addresses: z.array(z.string()),
  members: z.number(),
  not_after: z.number().nullable(),
  /** When the memberships by it end; older lists have none. */
  valid_until: z.number().nullable().default(null),
  /** The key of the mesh that certified it; null, and in older lists: the first. */
  issuer: z.string().nullable().default(null),
})
const issuedFile = z.object({ version: z.literal(1), invites: z.array(issued) })

type Issued = z.infer<typeof issued>

/** The flags of `vxmesh invite` as they were typed. */
export type RawInviteOptions = KeyPlace & {
  readonly for?: string
  readonly name?: string
  readonly address: readonly string[]
  readonly ttl: string
  readonly valid: string
  readonly members: string
  readonly seed: readonly string[]
}

const MILLISECONDS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Makes an invite, writes down that it was made, and only then gives it away. */
export async function makeInvite(raw: RawInviteOptions, now: number): Promise<{ readonly id: PeerId; readonly line: string }> {
  const bounds = parseBounds(raw, now)
  const seeds = raw.seed.map((seed) => flag('--seed', seed, parseSeed))
  const { identity: meshKey, mesh, lineage } = await readMeshKey(raw)
  const key = await makeIdentity()
  const { peer, name, addresses, members, notAfter, until } = bounds
  const entry: Issued = {
    id: key.peer,
    for: peer ?? null,
    name: name ?? null,
    addresses: [...addresses],
    members,
    not_after: notAfter ?? null,
    valid_until: until ?? null,
    issuer: meshKey.peer,
  }
  const path = join(raw.dir, ISSUED_FILE)
  const invites = readIssued(raw.dir)
  try {
    replaceFile(path, `${JSON.stringify({ version: 1, invites: [...invites, entry] })}\n`)
  } catch (error) {
    throw new MeshError({ code: 'CONFIG_INVALID', where: path, reason: `cannot be written: ${trouble(error)}` }, { cause: error })
  }
  return { id: key.peer, line: renderInvite(certifyInvite(meshKey, key.peer, bounds, mesh), privateKeyBytes(key), seeds, lineage) }
}

function parseBounds(raw: RawInviteOptions, now: number): Bounds {
  if (!/^[0-9]{1,5}$/.test(raw.members)) throw usage(`--members ${raw.members}`, 'a number of members; 0 for any number')
  if (raw.address.length > ADDRESSES_MOST) throw usage('--address', `at most ${String(ADDRESSES_MOST)} networks`)
  return {
    peer: raw.for === undefined ? undefined : flag('--for', raw.for, parsePeerId),
    name: raw.name === undefined ? undefined : flag('--name', raw.name, parseMemberName),
    addresses: raw.address.map((address) => flag('--address', address, parseInterfaceAddress)),
    members: Number(raw.members),
    notAfter: endAfter(now, timeIn('--ttl', raw.ttl)),
    until: endAfter(now, timeIn('--valid', raw.valid)),
  }
}

/** A time as people write it, in milliseconds. */
export function timeIn(name: string, text: string): number {
  const [, count, unit = 's'] = /^([0-9]{1,6})([smhd])?$/.exec(text) ?? []
  if (count === undefined) throw usage(`${name} ${text}`, 'a time as 90s, 30m, 24h or 7d; 0 for no end')
  return Number(count) * (isUnit(unit) ? MILLISECONDS[unit] : 0)
}

function isUnit(text: string): text is keyof typeof MILLISECONDS {
  return text in MILLISECONDS
}

function readIssued(dir: string): readonly Issued[] {
  const path = join(dir, ISSUED_FILE)
  try {
    const content = readOptional(path)
    return content === undefined ? [] : issuedFile.parse(JSON.parse(Buffer.from(content).toString('utf8'))).invites
  } catch (error) {
    const reason = 'cannot be read; restore it from a backup, or move it away to begin a new list'
    throw new MeshError({ code: 'CONFIG_INVALID', where: path, reason }, { cause: error })
  }
}

/**
 * One line for each invite that was made there, the one of `init` not among them.
 * @param report what a daemon knows of who came by which; undefined: none answers
 */
export function listInvites(dir: string, now: number, report?: Pick<StatusReport, 'members'>): readonly string[] {
  const came = report === undefined ? undefined : Map.groupBy(report.members, ({ invite }) => invite)
  const lineage = lineageIn(dir)
  return readIssued(dir).map((entry) => {
    const expires =
      entry.not_after === null
        ? 'never expires'
        : `${entry.not_after < now ? 'expired' : 'expires'} ${new Date(entry.not_after).toISOString()}`
    const parts = [
      entry.members === 0 ? 'any number of members' : `for ${String(entry.members)} member${entry.members === 1 ? '' : 's'}`,
      expires,
      ...(entry.valid_until === null ? [] : [`memberships end ${new Date(entry.valid_until).toISOString()}`]),
      ...formerKey(lineage, entry, now),
      ...(came === undefined ? [] : [`${String(came.get(entry.id)?.length ?? 0)} came by it`]),
      ...(entry.for === null ? [] : [`for ${entry.for} only`]),
      ...(entry.name === null ? [] : [`name ${entry.name}`]),
      ...(entry.addresses.length === 0 ? [] : [`addresses ${entry.addresses.join(' ')}`]),
    ]
    return `${entry.id}  ${parts.join(', ')}`
  })
}

/** Of an invite by a key that was followed by another: until when it lets anybody in. */
function formerKey(lineage: Lineage, { issuer }: Issued, now: number): readonly string[] {
  const end = lineage.find(({ mesh, from }) => from === (issuer ?? mesh))?.until
  return end === undefined ? [] : [`by a former key of the mesh, which ${end < now ? 'ended' : 'ends'} ${dateOf(end)}`]
}

function flag<Value>(name: string, text: string, parse: (text: string) => Result<Value>): Value {
  const parsed = parse(text)
  if (!parsed.ok) throw usage(`${name} ${text}`, parsed.reason)
  return parsed.value
}

function usage(where: string, reason: string): MeshError {
  return new MeshError({ code: 'USAGE', reason: `${where}: ${reason}` })
}
