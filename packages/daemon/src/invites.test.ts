import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MeshError } from '@vxmesh/core'
import { inviteIn, loadIdentity, loadMembership } from './identity.ts'
import { listInvites, makeInvite, type RawInviteOptions } from './invites.ts'
import { initMesh } from './meshkey.ts'

const NOW = Date.now()
const PLAIN = { address: [], ttl: '24h', valid: '0', members: '1', seed: [] } as const

let dir = ''

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'vxmesh-invites-'))
  await initMesh(dir)
})

afterEach(() => {
  rmSync(dir, { recursive: true })
})

const issue = async (parts: Partial<RawInviteOptions> = {}) => makeInvite({ dir, ...PLAIN, ...parts }, NOW)

/** The sentence of a refusal, with the temporary directory left out. */
async function refusal(act: () => Promise<unknown>): Promise<string> {
  try {
    await act()
  } catch (error) {
    if (error instanceof MeshError) return error.message.replaceAll(`${dir}/`, '')
    throw error
  }
  return 'accepted'
}

test('an invite admits a host, and brings the seeds it names', async () => {
  const { line, id } = await issue({ seed: ['192.0.2.1', 'bastion:4788'] })
  const state = join(dir, 'host')
  const { admission, seeds } = await loadMembership(state, inviteIn(line, 'x'))
  expect([admission.invite, admission.bounds.members, seeds]).toEqual([id, 1, ['192.0.2.1', 'bastion:4788']])
  expect((await loadMembership(state, undefined)).seeds).toEqual(seeds)
})

test('a later invite brings its seeds as well: those of the first may be gone', async () => {
  const state = join(dir, 'host')
  await loadMembership(state, inviteIn((await issue({ seed: ['192.0.2.1', 'bastion'] })).line, 'x'))
  const { seeds } = await loadMembership(state, inviteIn((await issue({ seed: ['192.0.2.7', 'bastion'] })).line, 'x'))
  expect(seeds).toEqual(['192.0.2.7', 'bastion', '192.0.2.1'])
})

test('an invite for one host is no good to another', async () => {
  const host = join(dir, 'host')
  const identity = await loadIdentity(host)
  expect((await loadIdentity(host)).peer).toBe(identity.peer)
  const invite = inviteIn((await issue({ for: identity.peer })).line, 'x')
  expect((await loadMembership(host, invite)).identity.peer).toBe(identity.peer)
  expect(await refusal(async () => loadMembership(join(dir, 'other'), invite))).toBe(
    '--invite: admits nobody: member certificate by an invite for another peer',
  )
})

test('an invite that has expired is refused at once', async () => {
  const { line } = await makeInvite({ dir, ...PLAIN, ttl: '1s' }, NOW - 2000)
  expect(await refusal(async () => loadMembership(join(dir, 'host'), inviteIn(line, 'x')))).toMatch(/^--invite: expired 20/)
})

test('an invite whose memberships have ended is refused at once', async () => {
  const { line } = await makeInvite({ dir, ...PLAIN, ttl: '0', valid: '1s' }, NOW - 2000)
  expect(await refusal(async () => loadMembership(join(dir, 'host'), inviteIn(line, 'x')))).toMatch(/^--invite: memberships by it ended 20/)
})

test('what was made is listed, without the secret in it, for its owner alone', async () => {
  const one = await issue({ name: 'db', address: ['192.168.234.9/32'], ttl: '0', members: '0' })
  const two = await issue({ valid: '365d' })
  const lines = listInvites(dir, NOW)
  expect(lines[0]).toBe(`${one.id}  any number of members, never expires, name db, addresses 192.168.234.9/32`)
  expect(lines[1]).toBe(
    `${two.id}  for 1 member, expires ${new Date(NOW + 86_400_000).toISOString()}, memberships end ${new Date(NOW + 365 * 86_400_000).toISOString()}`,
  )
  expect(statSync(join(dir, 'invites.json')).mode & 0o777).toBe(0o600)
  expect(readFileSync(join(dir, 'invites.json'), 'utf8')).not.toContain(one.line.slice(20, 60))
})

test.each<[string, Partial<RawInviteOptions>, RegExp]>([
  ['a time that is none', { ttl: '1 day' }, /^--ttl 1 day: a time as 90s/],
  ['a life that is none', { valid: 'year' }, /^--valid year: a time as 90s/],
  ['a number that is none', { members: '-1' }, /^--members -1: a number/],
  ['a peer that is none', { for: 'host-00' }, /^--for host-00: not an Ed25519 peer id$/],
  ['a name that is none', { name: 'Host_00' }, /^--name Host_00: a name is/],
  ['an address that is none', { address: ['192.168.234.9'] }, /^--address 192\.168\.234\.9: not an address/],
  ['a seed that is none', { seed: [':'] }, /^--seed :/],
  ['no key of a mesh', { dir: '/nowhere' }, /^--dir \/nowhere: there is no mesh\.key/],
])('with %s nothing is made', async (_name, parts, reason) => {
  expect(await refusal(async () => issue(parts))).toMatch(reason)
  expect(listInvites(dir, NOW)).toEqual([])
})

test('a list that cannot be read is said, not begun anew', async () => {
  writeFileSync(join(dir, 'invites.json'), '{')
  expect(await refusal(async () => issue())).toBe(
    'invites.json: cannot be read; restore it from a backup, or move it away to begin a new list',
  )
})
