/** The guard against real packets: what a host that is no member sends into the tunnels of those that are. */
import { seconds, type DeviceName, type IpAddress, type TunnelId } from '@vxmesh/core'
import { describe, guardOf } from '@vxmesh/kernel-adapter'
import { expect, test } from 'vitest'
import { openSwitch, until, type Host } from './harness.ts'
import { initMesh, member, MAIN, type Member } from './member.ts'
import type { Process } from './process.ts'
import { healthy } from './trio.ts'

/** Prints the marks in the frames that come out of a device (AF_PACKET), whose type is one of those for experiments. */
const CAPTURE = String.raw`
  $| = 1; my ($index) = @ARGV;
  socket(my $all, 17, 3, unpack("S", pack("n", 0x88b5))) or die "socket: $!";
  bind($all, pack("SnlSCCa8", 17, 0x88b5, $index, 0, 0, 0, "")) or die "bind: $!";
  print "listening\n";
  while (defined recv($all, my $frame, 2048, 0)) { print "mark ", unpack("x14 A16", $frame), "\n" }`

/**
 * Sends a frame with a mark into a tunnel: mark, id, from, to, source port. A source that is not of this host is forged, below
 * UDP. Sent in two parts where the first is to end before the id of the tunnel.
 */
const INJECT = String.raw`
  use Socket qw(:all); my ($mark, $id, $from, $to, $port, $cut) = @ARGV;
  my $frame = pack("H12 H12 n A16 x32", "ffffffffffff", "020000000bad", 0x88b5, $mark);
  my $vxlan = pack("C x3 N", 8, $id << 8) . $frame;
  my $six = $to =~ /:/;
  if ($port) {
    socket(my $udp, $six ? AF_INET6 : AF_INET, SOCK_DGRAM, 0) or die "socket: $!";
    bind($udp, $six ? pack_sockaddr_in6($port, inet_pton(AF_INET6, $from)) : pack_sockaddr_in($port, inet_aton($from))) or die "bind: $!";
    send($udp, $vxlan, 0, $six ? pack_sockaddr_in6(4789, inet_pton(AF_INET6, $to)) : pack_sockaddr_in(4789, inet_aton($to)));
    exit;
  }
  socket(my $raw, AF_INET, SOCK_RAW, 255) or die "socket: $!";
  my $datagram = pack("nnnn", 700, 4789, 8 + length $vxlan, 0) . $vxlan;
  my @parts = $cut ? ([0x2000, substr($datagram, 0, 8)], [1, substr($datagram, 8)]) : ([0, $datagram]);
  for (@parts) {
    my ($at, $part) = @$_;
    my $header = pack("CCnnnCCn a4 a4", 0x45, 0, 20 + length $part, 4711, $at, 64, 17, 0, inet_aton($from), inet_aton($to));
    send($raw, $header . $part, 0, pack_sockaddr_in(0, inet_aton($to))) or die "send: $!";
  }`

async function capture({ host }: Member, device: string): Promise<Process> {
  const [index] = /^\d+/.exec(await host.run(['ip', '-oneline', 'link', 'show', 'dev', device])) ?? ['']
  const process = host.start(['perl', '-e', CAPTURE, index])
  await until(`${host.name} listens to ${device}`, () => process.lines.includes('listening') || process.lines, { within: seconds(30) })
  return process
}

type Frame = {
  readonly mark: string
  readonly id?: number
  readonly from: string
  readonly to: string
  readonly port: number
  readonly cut?: true
}

async function inject(at: Host, { mark, id = 16, from, to, port, cut }: Frame): Promise<void> {
  await at.run(['perl', '-e', INJECT, mark, String(id), from, to, String(port), cut === true ? '1' : ''])
}

/** The marks that were seen up to the last one of them, which is sent after all others. */
async function marks({ lines }: Process, last: string): Promise<readonly string[]> {
  const seen = (): readonly string[] => lines.flatMap((line) => (line.startsWith('mark ') ? [line.slice(5)] : []))
  await until(`"${last}" comes`, () => seen().includes(last) || lines, { within: seconds(30) })
  return seen()
}

const ruleset = async ({ host }: Member): Promise<string> => host.run(['nft', '--stateless', 'list', 'ruleset'])

const config = (last: number, guard: 'on' | 'off', seed: string): string => `
guard: ${guard}
${seed}
tunnels:
  provider0: { mode: vxlan, id: 16, local: 192.168.226.${String(last)}, addresses: [192.168.234.${String(last)}/23] }
  provider1: { mode: vxlan, id: 17, local: "fd00:226::${String(last)}", addresses: [192.168.240.${String(last)}/24] }
`

test('with a guard nothing comes in but what members send, whatever becomes of the daemon and the rules; without, all does', async () => {
  await using net = await openSwitch()
  await using mesh = await initMesh()
  const [bastion, first] = [
    member(mesh, await net.host('bastion', '192.168.226.4/24'), undefined),
    member(mesh, await net.host('host-00', '192.168.226.5/24'), undefined),
  ]
  const stranger = await net.host('stranger', '192.168.226.66/24')
  for (const [host, last] of [
    [bastion.host, 4],
    [first.host, 5],
    [stranger, 66],
  ] as const)
    await host.run(['ip', 'address', 'add', `fd00:226::${String(last)}/64`, 'dev', 'eth0', 'nodad'])
  await bastion.host.run(['nft', 'add table inet theirs { chain input { type filter hook input priority filter; policy accept; }; }'])

  // Where there is no nft a guard cannot be had, and nothing is done.
  const hidden = 'for nft in /usr/sbin/nft /sbin/nft; do mount --bind /dev/null "$nft"; done; exec "$@"'
  const flags = ['--guard', 'on', '--invite', mesh.invite, '--device', 'provider0', '--id', '16', '--local', bastion.underlay]
  const places = ['--state-dir', bastion.stateDirectory, '--control', bastion.control]
  const refused = await bastion.host.outcome(['unshare', '--mount', 'sh', '-euc', hidden, 'sh', 'node', MAIN, 'up', ...flags, ...places])
  expect(refused).toMatchObject({
    code: 77,
    stderr: 'vxmesh: --guard: nft is not installed: it comes with nftables (apt-get install nftables)\n',
  })

  const daemon = await bastion.carry(config(4, 'on', ''))
  await first.carry(config(5, 'on', 'seeds: [192.168.226.4]'))
  const pings = async (address: string): Promise<void> => {
    await until(`${address} is pinged`, async () => first.pings(address), { within: seconds(60) })
  }
  await pings('192.168.234.4')
  await pings('192.168.240.4')
  const standing = { standing: true, wanted: 1, admitted: 1 }
  expect((await bastion.status()).tunnels).toMatchObject([{ guard: standing }, { guard: standing }])
  await healthy(bastion)
  expect((await bastion.vxmesh('plan')).code).toBe(0)

  const four = { from: '192.168.226.66', to: '192.168.226.4', port: 50_000 }
  const six = { id: 17, from: 'fd00:226::66', to: 'fd00:226::4', port: 50_000 }
  const [onFour, onSix] = [await capture(bastion, 'provider0'), await capture(bastion, 'provider1')]
  const injected = async (): Promise<void> => {
    await inject(stranger, { ...four, mark: 'off mesh' })
    await inject(stranger, { ...four, mark: 'off mesh, low', port: 700 })
    await inject(stranger, { ...four, mark: 'off mesh, cut', port: 0, cut: true })
    await inject(stranger, { ...six, mark: 'off mesh' })
  }
  // A user of a member can have no port as the device has; who is root there can, and forges what he likes.
  const local = async (mark: string, port: number): Promise<void> => {
    await inject(first.host, { mark, from: '192.168.226.5', to: '192.168.226.4', port })
    await inject(first.host, { mark, id: 17, from: 'fd00:226::5', to: 'fd00:226::4', port })
  }
  await injected()
  await local('a user', 40_000)
  await local('root', 700)
  expect(await marks(onFour, 'root')).toEqual(['root'])
  expect(await marks(onSix, 'root')).toEqual(['root'])
  // Nor can it tell a member from who sends in its name on the same wire.
  await inject(stranger, { ...four, mark: 'spoofed', from: '192.168.226.5', port: 0 })
  expect(await marks(onFour, 'spoofed')).toEqual(['root', 'spoofed'])

  // Whoever flushes the rules of the host opens it for five seconds at most.
  await bastion.host.run(['nft', 'flush', 'ruleset'])
  const back = await until(
    'the guards are back',
    async () => {
      const rules = await ruleset(bastion)
      return rules.match(/elements = \{ (192\.168\.226\.5|fd00:226::5) \}/g)?.length === 2 || rules
    },
    { within: seconds(5) },
  )
  console.log(`guards back ${String(Math.round(back))} ms after nft flush ruleset`)
  const guards = await ruleset(bastion)
  daemon.signal('SIGTERM')
  await daemon.exit
  expect(await ruleset(bastion)).toBe(guards)
  await injected()
  await local('stopped', 700)
  expect(await marks(onFour, 'stopped')).toEqual(['root', 'spoofed', 'stopped'])
  expect(await marks(onSix, 'stopped')).toEqual(['root', 'stopped'])

  await bastion.carry(config(4, 'off', ''))
  await until('the guards are gone', async () => (await ruleset(bastion)) === '' || ruleset(bastion), { within: seconds(60) })
  await injected()
  await local('last', 700)
  expect(await marks(onFour, 'last')).toEqual(['root', 'spoofed', 'stopped', 'off mesh', 'off mesh, low', 'off mesh, cut', 'last'])
  expect(await marks(onSix, 'last')).toEqual(['root', 'stopped', 'off mesh', 'last'])

  expect(await ruleset(first)).toContain('table inet vxmesh-provider1 {')
  expect((await first.vxmesh('leave')).code).toBe(0)
  expect(await ruleset(first)).toBe('')
})

/** Prints which packets of GRE this host takes in, by the marks at their ends. */
const TAKEN = String.raw`
  use Socket qw(:all); $| = 1; my ($six) = @ARGV;
  socket(my $raw, $six ? AF_INET6 : AF_INET, SOCK_RAW, 47) or die "socket: $!";
  print "listening\n";
  while (defined recv($raw, my $packet, 2048, 0)) { print "mark ", substr($packet, -16) =~ s/ +$//r, "\n" }`

/** Sends a packet of GRE: mark, to, the flags and the rest of its header in hexadecimal. */
const GRE = String.raw`
  use Socket qw(:all); my ($mark, $to, $header) = @ARGV;
  my $six = $to =~ /:/;
  socket(my $raw, $six ? AF_INET6 : AF_INET, SOCK_RAW, 47) or die "socket: $!";
  my $there = $six ? pack_sockaddr_in6(0, inet_pton(AF_INET6, $to)) : pack_sockaddr_in(0, inet_aton($to));
  send($raw, pack("H*", $header) . pack("A16", $mark), 0, $there) or die "send: $!";`

/** By this kernel, which may have no device of GRE, but takes in what is sent to it. */
test.each([
  ['192.168.226.', 24, { id: 1234, underlay: '192.168.226.4' }, ['no key', 'another key', 'checked', 'other, checked']],
  ['192.168.226.', 24, { id: undefined, underlay: '192.168.226.4' }, ['key', 'another key', 'key, checked', 'other, checked']],
  ['fd00:226::', 64, { id: 1234, underlay: 'fd00:226::4' }, []],
])(
  'in %s0/%i a guard of GRE for %j keeps strangers out of its tunnel, and out of no other',
  async (network, length, { id, underlay }, others) => {
    await using net = await openSwitch()
    const hosts = await Promise.all(
      [4, 5, 66].map(async (last) => net.host(`host-${String(last)}`, `${network}${String(last)}/${String(length)}`)),
    )
    const [bastion, first, stranger] = hosts as [Host, Host, Host]
    const HEADERS = [
      ['no key', '00000800'],
      ['key', '20000800000004d2'],
      ['another key', '20000800000004d3'],
      ['checked', '8000080000000000'],
      ['key, checked', 'a000080000000000000004d2'],
      ['other, checked', 'a000080000000000000004d3'],
    ] as const
    const guard = guardOf({
      mode: 'gre',
      id: id as TunnelId,
      underlay: underlay as IpAddress,
      port: undefined,
      ports: [],
      privileged: false,
    })
    const admitted = { kind: 'admitted', underlay: `${network}5` as IpAddress } as const
    for (const entry of [guard, admitted]) await bastion.run(['sh', '-c', describe({ kind: 'add', entry }, 'gre1' as DeviceName)])
    const taken = bastion.start(['perl', '-e', TAKEN, length === 64 ? '1' : ''])
    await until('it listens', () => taken.lines.includes('listening') || taken.lines, { within: seconds(30) })
    const send = async (from: Host, mark: string, header: string) => from.run(['perl', '-e', GRE, mark, underlay, header])
    for (const [mark, header] of HEADERS) await send(stranger, mark, header)
    for (const [mark, header] of HEADERS) await send(first, `${mark}!`, header)
    await send(first, 'last', '20000800000004d2')
    const seen = await marks(taken, 'last')
    expect(seen.filter((mark) => !mark.endsWith('!') && mark !== 'last').toSorted()).toEqual(others.toSorted())
    expect(seen.filter((mark) => mark.endsWith('!'))).toHaveLength(HEADERS.length)
  },
)
