import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseIp } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { missingKind, missingNetAdmin } from './capabilities.ts'

const ALL = '000001ffffffffff'
const NET_ADMIN = '0000000000001000'
const NONE = '0000000000000000'
const status = (uid: number, effective: string, ambient: string) =>
  `Name:\tnode\nUid:\t${String(uid)}\t${String(uid)}\t${String(uid)}\t${String(uid)}\nGid:\t0\t0\t0\t0\nCapInh:\t${NONE}\nCapEff:\t${effective}\nCapBnd:\t${ALL}\nCapAmb:\t${ambient}\n`

const MISSING = 'CAP_NET_ADMIN is missing: run as root, or under systemd with AmbientCapabilities=CAP_NET_ADMIN'

test.each<[string, string, string | undefined]>([
  ['root can', status(0, ALL, NONE), undefined],
  ['root of a container that was not given it cannot', status(0, '00000000a80425fb', NONE), MISSING],
  ['a user with the ambient capability can', status(1000, NET_ADMIN, NET_ADMIN), undefined],
  ['a user whose executable has it cannot: ip would not have it', status(1000, NET_ADMIN, NONE), MISSING],
  ['a user cannot', status(1000, NONE, NONE), MISSING],
  ['nobody can by a status that says nothing', '', MISSING],
])('%s', (_name, text, missing) => {
  expect(missingNetAdmin(text)).toBe(missing)
})

const FOUR = parseIp('192.168.226.4')
const SIX = parseIp('fd00:226::4')
const NO_GRE = 'this kernel has no GRE: load its module (modprobe ip_gre; in a container, on the host)'

test.each([
  ['one that takes no modules and has no GRE', ['proc/version', 'sys/module/vxlan'], FOUR, NO_GRE],
  ['one that has GRE built in', ['proc/version', 'sys/module/ip_gre'], FOUR, undefined],
  ['one that may load it', ['proc/version', 'proc/modules', 'sys/module/vxlan'], FOUR, undefined],
  ['one of which nothing is shown', [], FOUR, undefined],
  ['one of which only processes are shown', ['sys/module/vxlan'], FOUR, undefined],
  [
    'one that has GRE over IPv4 only',
    ['proc/version', 'sys/module/ip_gre'],
    SIX,
    NO_GRE.replace('GRE', 'GRE over IPv6').replace('ip_gre', 'ip6_gre'),
  ],
])('what a kernel lacks is told before it is asked for anything: %s', (_name, there, local, missing) => {
  const root = mkdtempSync(join(tmpdir(), 'vxmesh-kinds-'))
  for (const path of there) mkdirSync(join(root, path), { recursive: true })
  expect(missingKind({ mode: 'gre', local: local.ok ? local.value : undefined }, root)).toBe(missing)
  rmSync(root, { recursive: true })
})
