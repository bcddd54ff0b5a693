import { slot, type DeviceName, type GreKey, type IpAddress, type Port, type Vni } from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { admissionCommand, guardCommand, guardOf, parseGuard, type Guarded } from './guard.ts'
import { complaintOfNft } from './outcome.ts'
import { words } from './render.ts'

const DEVICE = 'provider0' as DeviceName
const [underlay, there] = ['192.168.226.4', '192.168.226.5'] as [IpAddress, IpAddress]
const [port, other] = [4789, 8472] as [Port, Port]
const VXLAN: Guarded = { mode: 'vxlan', id: 16 as Vni, underlay, port, ports: [port], privileged: false }
const GRE: Guarded = { ...VXLAN, mode: 'gre', id: 1234 as GreKey, port: undefined, ports: [] }
const SIX = 'fd00:226::4' as IpAddress

/** What nft 1.0.6 shows after it was told what is rendered here. */
const SHOWN = `table inet vxmesh-provider0 {
	set members {
		type ipv4_addr
		elements = { 192.168.226.5, 192.168.226.6,
			     192.168.226.7 }
	}

	chain input {
		type filter hook input priority filter; policy accept;
		meta nfproto ipv4 udp dport 4789 @th,96,24 != 0x10 accept
		udp dport 4789 ip saddr @members accept
		meta nfproto ipv4 udp dport 4789 counter drop
	}

	chain postrouting {
		type filter hook postrouting priority 300; policy accept;
		ip saddr 192.168.226.4 udp dport 4789 udp sport != 600-1023 @th,96,24 0x10 counter drop
		ip saddr 192.168.226.4 udp dport 8472 udp sport != 600-1023 @th,96,24 0x10 counter drop
	}
}
`

const rules = (tunnel: Partial<Guarded>, of = VXLAN) => guardOf({ ...of, ...tunnel }).rules.filter((line) => /accept$|drop$/.test(line))

describe('a guard', () => {
  test('is read as it was written, with whom it admits', () => {
    const { entries, marked } = parseGuard(SHOWN)
    expect(entries.get('guard')).toEqual(guardOf({ ...VXLAN, privileged: true, ports: [port, other] }))
    expect([...entries.keys()]).toEqual(['guard', 'admitted 192.168.226.5', 'admitted 192.168.226.6', 'admitted 192.168.226.7'])
    expect(marked).toEqual(new Set([...entries.values()].map(slot)))
  })

  test.each([
    ['nothing', ''],
    ['half a line', 'table inet'],
  ])('is none in %s', (_, text) => {
    expect(parseGuard(text).entries.size).toBe(0)
  })

  test.each([
    ['a rule too few', SHOWN.replace(/\n.*counter drop\n/, '\n')],
    ['that is dormant', SHOWN.replace('{\n', '{\n\tflags dormant\n')],
    ['with a chain of somebody else', SHOWN.replace('\tchain input', '\tchain other {\n\t}\n\n\tchain input')],
  ])('is another one with %s', (_, text) => {
    expect(text).not.toBe(SHOWN)
    expect(parseGuard(text).entries.get('guard')).not.toEqual(parseGuard(SHOWN).entries.get('guard'))
  })

  test('of a device that sends from any port does not say from which', () => {
    expect(rules({})).toEqual(rules({ privileged: true }).slice(0, 3))
  })

  test('over IPv6 knows addresses of IPv6', () => {
    expect(rules({ underlay: SIX })[1]).toBe('udp dport 4789 ip6 saddr @members accept')
    expect(guardOf({ ...VXLAN, underlay: SIX })).toMatchObject({ family: 'ipv6', rules: expect.arrayContaining(['type ipv6_addr']) })
  })

  test('of GRE lets pass what has another key, or none', () => {
    expect(rules({}, GRE)).toEqual([
      'ip protocol gre @th,0,8 & 0x20 == 0x0 accept',
      'ip protocol gre @th,0,8 & 0xa0 == 0x20 @th,32,32 != 0x4d2 accept',
      'ip protocol gre @th,0,8 & 0xa0 == 0xa0 @th,64,32 != 0x4d2 accept',
      'ip protocol gre ip saddr @members accept',
      'ip protocol gre counter drop',
    ])
    expect(rules({ id: undefined }, GRE)[0]).toBe('ip protocol gre @th,0,8 & 0x20 == 0x20 accept')
  })

  test('of GRE over IPv6, whose device takes any key, lets nothing else pass', () => {
    expect(rules({ underlay: SIX }, GRE)).toEqual([
      'meta l4proto gre ip6 saddr @members accept',
      'meta nfproto ipv6 meta l4proto gre counter drop',
    ])
  })
})

test('what is done is what a person would type in a shell', () => {
  expect(words(guardCommand(guardOf(VXLAN), DEVICE, false))).toBe(
    "nft 'add table inet vxmesh-provider0; delete table inet vxmesh-provider0; table inet vxmesh-provider0 { set members { type ipv4_addr; }; " +
      'chain input { type filter hook input priority filter; policy accept; meta nfproto ipv4 udp dport 4789 @th,96,24 != 0x10 accept; ' +
      "udp dport 4789 ip saddr @members accept; meta nfproto ipv4 udp dport 4789 counter drop; }; }'",
  )
  expect(words(guardCommand(guardOf(VXLAN), DEVICE, true))).toBe('nft delete table inet vxmesh-provider0')
  expect(words(admissionCommand(there, DEVICE, false))).toBe('nft add element inet vxmesh-provider0 members { 192.168.226.5 }')
  expect(words(admissionCommand(there, DEVICE, true))).toBe('nft delete element inet vxmesh-provider0 members { 192.168.226.5 }')
})

test.each([
  [
    '/dev/stdin:1:1-2: Error: Could not process rule: Operation not permitted\nadd table\n^^^^',
    'Could not process rule: Operation not permitted',
  ],
  ['Operation not permitted (you must be root)\nnetlink: Error: cache initialization failed', 'cache initialization failed'],
  ['segmentation fault', 'segmentation fault'],
])('what nft complains of is one line: %j', (said, reason) => {
  expect(complaintOfNft(said)).toBe(reason)
})
