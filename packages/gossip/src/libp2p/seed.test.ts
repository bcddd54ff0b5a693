import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Seed } from '../state.ts'
import { isSeed } from '../state.ts'
import { parseSeed, seedAddresses } from './seed.ts'

const PEER = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'
const PORT = 4788

describe('where a seed leads', () => {
  test.each([
    ['an IPv4 address', '192.168.226.4', ['/ip4/192.168.226.4/tcp/4788']],
    ['an IPv4 address with a port', '192.168.226.4:5000', ['/ip4/192.168.226.4/tcp/5000']],
    ['an IPv6 address', '2001:db8::1', ['/ip6/2001:db8::1/tcp/4788']],
    ['an IPv6 address whose last group looks like a port', '::1:4788', ['/ip6/::1:4788/tcp/4788']],
    ['an IPv6 address in brackets', '[2001:db8::1]', ['/ip6/2001:db8::1/tcp/4788']],
    ['an IPv6 address with a port', '[2001:db8::1]:5000', ['/ip6/2001:db8::1/tcp/5000']],
    ['a multiaddr of IPv4', '/ip4/192.0.2.1/tcp/5000', ['/ip4/192.0.2.1/tcp/5000']],
    ['a multiaddr of IPv6', '/ip6/2001:db8::1/tcp/5000', ['/ip6/2001:db8::1/tcp/5000']],
    ['a multiaddr with the peer it must be', `/ip4/192.0.2.1/tcp/5000/p2p/${PEER}`, [`/ip4/192.0.2.1/tcp/5000/p2p/${PEER}`]],
  ])('%s: %s', async (_name, text, expected) => {
    const seed = parseSeed(text)
    expect(seed).toEqual({ ok: true, value: text })
    expect((await seedAddresses(text as Seed, PORT)).map(String)).toEqual(expected)
  })

  test('a name is looked up in /etc/hosts as well', async () => {
    expect((await seedAddresses('localhost:5000' as Seed, PORT)).map(String)).toContain('/ip4/127.0.0.1/tcp/5000')
  })

  test.each([
    ['/dns4/localhost/tcp/5000', '/ip4/127.0.0.1/tcp/5000'],
    ['/dns/localhost/tcp/5000', '/ip4/127.0.0.1/tcp/5000'],
    [`/dns4/localhost/tcp/5000/p2p/${PEER}`, `/ip4/127.0.0.1/tcp/5000/p2p/${PEER}`],
  ])('and so is that of a multiaddr: %s', async (text, expected) => {
    expect(parseSeed(text)).toEqual({ ok: true, value: text })
    expect((await seedAddresses(text as Seed, PORT)).map(String)).toContain(expected)
  })

  test.each(['nobody.invalid', '/dns4/nobody.invalid/tcp/5000', '/dns6/nobody.invalid/tcp/5000'])(
    'a name that nobody has leads nowhere: %s',
    async (text) => {
      expect(await seedAddresses(text as Seed, PORT)).toEqual([])
    },
  )
})

test.each(['host-00', 'host-00.example.org', 'host_00', 'a', 'x'.repeat(63), 'host:1', 'host:65535', '3com.example.org'])(
  'the name %s is accepted',
  (text) => {
    expect(parseSeed(text)).toEqual({ ok: true, value: text })
  },
)

describe('a seed is refused', () => {
  const FORM = 'not HOST, HOST:PORT or a multiaddr'
  const RANGE = 'a port is a whole number from 1 to 65535'
  const MULTIADDR = 'not a multiaddr with tcp, as /ip4/192.0.2.1/tcp/4788'
  test.each([
    ['nothing', '', FORM],
    ['a mistyped IPv4 address', '192.168.226.256', FORM],
    ['three numbers of four', '192.168.226', FORM],
    ['a number', '4788', FORM],
    ['a port without a host', ':4788', FORM],
    ['a host with half a port', 'host:', FORM],
    ['a port that is a word', 'host:http', FORM],
    ['the port 0', 'host:0', RANGE],
    ['a port that is too high', 'host:70000', RANGE],
    ['a port with a leading zero', 'host:04788', RANGE],
    ['an IPv4 address in brackets', '[192.0.2.1]:4788', FORM],
    ['brackets around a name', '[host]:4788', FORM],
    ['a bracket that is never closed', '[2001:db8::1', FORM],
    ['an IPv6 address with a zone', 'fe80::1%eth0', FORM],
    ['a network', '192.0.2.0/24', FORM],
    ['a space', 'host 00', FORM],
    ['a space before', ' host', FORM],
    ['a line break after', 'host\n', FORM],
    ['a second line', 'host\nother', FORM],
    ['a control character', 'ho\u001B[31mst', FORM],
    ['a letter that no host name has', 'höst', FORM],
    ['a name that begins with a hyphen, like a flag', '-host', FORM],
    ['a URL', 'http://host:4788', FORM],
    ['a peer id alone', PEER, 'a peer id alone says nothing about where it is: give an address'],
    ['a multiaddr over UDP', '/ip4/192.0.2.1/udp/4788', MULTIADDR],
    ['a multiaddr over QUIC', '/ip4/192.0.2.1/udp/4788/quic-v1', MULTIADDR],
    ['a multiaddr over WebSocket', '/ip4/192.0.2.1/tcp/4788/ws', MULTIADDR],
    ['a multiaddr without a port', '/ip4/192.0.2.1', MULTIADDR],
    ['a multiaddr with the port 0', '/ip4/192.0.2.1/tcp/0', MULTIADDR],
    ['a multiaddr with a port that is too high', '/ip4/192.0.2.1/tcp/70000', MULTIADDR],
    ['a multiaddr of a mistyped address', '/ip4/192.0.2.256/tcp/4788', MULTIADDR],
    ['a multiaddr of the other family', '/ip4/2001:db8::1/tcp/4788', MULTIADDR],
    ['a multiaddr of a name where an address belongs', '/ip4/host/tcp/4788', MULTIADDR],
    ['a multiaddr with an unknown peer', '/ip4/192.0.2.1/tcp/4788/p2p/me', MULTIADDR],
    ['a multiaddr through a relay', `/ip4/192.0.2.1/tcp/4788/p2p/${PEER}/p2p-circuit`, MULTIADDR],
    ['a multiaddr with a space in its name', '/dns4/a b/tcp/4788', MULTIADDR],
    ['a multiaddr with a control character in its name', '/dns4/a\u0007b/tcp/4788', MULTIADDR],
    ['a multiaddr with an escaped line break in its name', '/dns/a%0ab/tcp/4788', MULTIADDR],
    ['a path', '/etc/hosts', MULTIADDR],
  ])('that is %s: %j', (_name, text, reason) => {
    expect(parseSeed(text)).toEqual({ ok: false, reason })
  })

  test('or can be dialled and printed: whatever the text, nothing else comes of it', async () => {
    const near = fc.tuple(
      fc.constantFrom('/ip4/', '/ip6/', '/dns4/', '/dns/', '[', ''),
      fc.oneof(fc.string({ maxLength: 6 }), fc.ipV4(), fc.ipV6()),
      fc.constantFrom('/tcp/', ':', ']:', ']', ''),
      fc.oneof(fc.string({ maxLength: 6 }), fc.nat(99_999).map(String)),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          near.map((parts) => parts.join('')),
        ),
        async (text) => {
          const seed = parseSeed(text)
          if (!seed.ok) return
          expect(text).toMatch(/^[\w./:[\]-]+$/)
          expect(isSeed(seed.value)).toBe(true)
          expect((await addressesOf(seed.value)).length).toBeLessThanOrEqual(1)
        },
      ),
    )
  })
})

/** Where a seed leads that is no name: names are not looked up here. */
async function addressesOf(seed: Seed): Promise<readonly unknown[]> {
  return /^([0-9[]|\/ip)/.test(seed) ? seedAddresses(seed, PORT) : []
}
