import { expect, test } from 'vitest'
import { missingNetAdmin } from './capabilities.ts'

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
