/**
 * The entries of every kind in real kernels: what they are for, what others do to them, and whose they are. `bridge` and
 * `ip` are the operator's hands here, and show what the daemon wrote in their own words.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { seconds } from '@vxmesh/core'
import { describe, expect, test } from 'vitest'
import { until } from './harness.ts'
import { DEVICE, member, messages, savedRecords, type Member } from './member.ts'
import { canNetworkd, networkctl, networkd } from './networkd.ts'
import type { Process } from './process.ts'
import { started, trio } from './trio.ts'

const ZERO_MAC = '00:00:00:00:00:00'

/** Every permanent entry with a destination, as `bridge` and `ip` say it, without what is the same in all. */
async function entries({ host }: Member): Promise<readonly string[]> {
  const fdb = await host.run(['bridge', 'fdb', 'show', 'dev', DEVICE])
  const neighbours = await host.run(['ip', '-N', 'neighbour', 'show', 'dev', DEVICE, 'nud', 'permanent'])
  return `${fdb}${neighbours}`
    .split('\n')
    .flatMap((line) =>
      / dst | lladdr /.test(line) && / permanent| PERMANENT/.test(line) ? [line.replace(/ self permanent| PERMANENT/, '').trim()] : [],
    )
    .toSorted()
}

/** What a kernel should have for these members. */
async function wanted(of: readonly Member[], addresses: (member: Member) => readonly string[]): Promise<readonly string[]> {
  const lines = await Promise.all(
    of.map(async (each) => {
      const mac = await macOf(each)
      return [
        `${ZERO_MAC} dst ${each.underlay}`,
        `${mac} dst ${each.underlay}`,
        ...addresses(each).map((address) => `${address} lladdr ${mac} proto 118`),
      ]
    }),
  )
  return lines.flat().toSorted()
}

const overlayOf = ({ overlayFlags }: Member): readonly string[] => overlayFlags.slice(1, 2).map((address) => address.replace(/\/.*/, ''))

async function macOf({ host }: Member): Promise<string> {
  return /link\/ether (\S+)/.exec(await host.run(['ip', 'link', 'show', 'dev', DEVICE]))?.[1] ?? ''
}

async function has(what: string, at: Member, lines: readonly string[]): Promise<void> {
  const same = async (): Promise<unknown> => {
    const found = await entries(at)
    return found.join('\n') === lines.toSorted().join('\n') || found
  }
  await until(`${at.host.name} ${what}`, same, { within: seconds(60) })
}

/**
 * Prints who is asked for on a device, by ARP or by neighbour solicitation. Reads packets as they are (AF_PACKET, all
 * protocols) in Perl, which Debian and Ubuntu always have.
 */
const CAPTURE = String.raw`
  $| = 1; my ($index) = @ARGV;
  socket(my $all, 17, 3, unpack("S", pack("n", 3))) or die "socket: $!";
  bind($all, pack("SnlSCCa8", 17, 3, $index, 0, 0, 0, "")) or die "bind: $!";
  print "listening\n";
  while (defined recv($all, my $frame, 2048, 0)) {
    my $type = unpack("x12 n", $frame);
    print "asks for ", join(".", unpack("x38 C4", $frame)), "\n" if $type == 0x0806 && unpack("x20 n", $frame) == 1;
    print "asks for ", join(":", unpack("x62 (H4)8", $frame)), "\n"
      if $type == 0x86dd && unpack("x20 C", $frame) == 58 && unpack("x54 C", $frame) == 135;
  }`

async function capture({ host }: Member): Promise<Process> {
  const [index] = /^\d+/.exec(await host.run(['ip', '-oneline', 'link', 'show', 'dev', DEVICE])) ?? ['']
  const process = host.start(['perl', '-e', CAPTURE, index])
  await until(`${host.name} listens to ${DEVICE}`, () => process.lines.includes('listening') || process.lines, { within: seconds(30) })
  return process
}

const asked = ({ lines }: Process): readonly string[] => lines.filter((line) => line.startsWith('asks for '))

test('every pair of members pings in IPv4 and IPv6, and nobody asks for anybody', async () => {
  await using hosts = await trio()
  const { bastion, first, second, all } = hosts
  const addresses = new Map([bastion, first, second].map((each, index) => [each, [...overlayOf(each), `fd00:234::${String(index + 1)}`]]))
  const of = (each: Member): readonly string[] => addresses.get(each) ?? []
  bastion.up('--address', 'fd00:234::1/64')
  first.up('--address', 'fd00:234::2/64', '--seed', bastion.underlay)
  second.up('--address', 'fd00:234::3/64', '--seed', bastion.underlay)
  for (const each of all) {
    const others = all.filter((other) => other !== each)
    await until(`${each.host.name} has its device`, async () => (await macOf(each)) !== '', { within: seconds(60) })
    const same = async (): Promise<unknown> => {
      const [found, lines] = [await entries(each), await wanted(others, of)]
      return found.join('\n') === lines.join('\n') || { found, lines }
    }
    await until(`${each.host.name} has all entries for the others`, same, { within: seconds(60) })
    // Before that, an IPv6 address is not used: the kernel first asks whether anybody else has it.
    const settled = async (): Promise<boolean> => (await each.host.run(['ip', 'address', 'show', 'dev', DEVICE, 'tentative'])) === ''
    await until(`${each.host.name} may use its addresses`, settled, { within: seconds(60) })
  }
  const captures = await Promise.all(all.map(capture))
  for (const from of all)
    for (const to of all) for (const address of of(to)) expect(`${address} ${String(await from.pings(address))}`).toBe(`${address} true`)
  expect(captures.flatMap(asked)).toEqual([])
  for (const each of all)
    expect(await each.host.run(['ip', 'neighbour', 'show', 'dev', DEVICE, 'nud', 'incomplete', 'nud', 'reachable', 'nud', 'stale'])).toBe(
      '',
    )

  // Who is no member is asked for, and that is seen.
  for (const [address, line] of [
    ['192.168.234.99', 'asks for 192.168.234.99'],
    ['fd00:234::99', 'asks for fd00:0234:0000:0000:0000:0000:0000:0099'],
  ] as const) {
    expect(await bastion.pings(address)).toBe(false)
    const heard = (): unknown => captures.every((process) => process.lines.includes(line)) || captures.map(({ lines }) => lines)
    await until(`everybody hears "${line}"`, heard, { within: seconds(30) })
  }
  const report = await first.status()
  expect(report.tunnels[0]?.entries).toEqual({
    wanted: 8,
    present: 8,
    foreign: 0,
    kinds: { flood: { wanted: 2, present: 2 }, fdb: { wanted: 2, present: 2 }, neighbour: { wanted: 4, present: 4 } },
  })
})

test('what somebody deletes, changes or adds is put right, of every kind: counted, and logged with what was found', async () => {
  await using hosts = await trio()
  const { bastion, first, second } = hosts
  const [daemon] = await started(hosts)
  const lines = await wanted([first, second], overlayOf)
  await has('has all entries', bastion, lines)
  const [mac, underlay] = [await macOf(first), first.underlay]
  const dev = ['dev', DEVICE]
  let repairs = 0
  for (const [command, said] of [
    [['bridge', 'fdb', 'delete', ZERO_MAC, 'dst', underlay, ...dev], 'somebody had deleted it'],
    [['bridge', 'fdb', 'delete', mac, ...dev], 'somebody had deleted it'],
    [['ip', 'neighbour', 'delete', '192.168.234.2', ...dev], 'somebody had deleted it'],
    [['bridge', 'fdb', 'replace', mac, 'dst', '192.168.226.99', ...dev], 'somebody had changed it to dst 192.168.226.99'],
    [
      ['ip', 'neighbour', 'replace', '192.168.234.2', 'lladdr', '02:00:00:00:00:99', ...dev, 'nud', 'permanent'],
      'somebody had changed it to lladdr 02:00:00:00:00:99',
    ],
    [['bridge', 'fdb', 'append', ZERO_MAC, 'dst', '192.168.226.99', ...dev], 'somebody had added it'],
    [['bridge', 'fdb', 'append', '02:00:00:00:00:99', 'dst', '192.168.226.99', ...dev], 'somebody had added it'],
    [['ip', 'neighbour', 'replace', '192.168.234.99', 'lladdr', mac, ...dev, 'nud', 'permanent'], 'somebody had added it'],
  ] as const) {
    await bastion.host.run([...command])
    repairs++
    const counted = async (): Promise<unknown> => (await bastion.status()).tunnels[0]?.repairs === repairs || messages(daemon)
    await until(`"${command.join(' ')}" is one repair`, counted, { within: seconds(30) })
    await has('is as before', bastion, lines)
    expect(messages(daemon).findLast((line) => line.includes('(repair: '))).toContain(`(repair: ${said})`)
  }
  for (const each of [first, second]) expect((await each.status()).tunnels[0]?.repairs).toBe(0)
})

test('a device that is taken down and up, whose underlay is, or that gets another MAC address or loses its own address, is as it was again', async () => {
  await using hosts = await trio()
  const { bastion, first, second } = hosts
  await started(hosts)
  const lines = await wanted([first, second], overlayOf)
  await has('has all entries', bastion, lines)
  await bastion.host.run(['ip', 'link', 'set', 'dev', DEVICE, 'down'])
  await bastion.host.run(['ip', 'link', 'set', 'dev', DEVICE, 'up'])
  await has('has them again', bastion, lines)
  await bastion.host.run(['ip', 'link', 'set', 'dev', 'eth0', 'down'])
  await bastion.host.run(['ip', 'link', 'set', 'dev', 'eth0', 'up'])
  await until('it pings over the underlay that was down', async () => bastion.pings('192.168.234.2'), { within: seconds(30) })
  await has('has them still', bastion, lines)
  await bastion.host.run(['ip', 'link', 'set', 'dev', DEVICE, 'address', '02:00:00:00:00:77'])
  await has('has them again', bastion, lines)
  for (const each of [first, second]) {
    const others = [bastion, first, second].filter((other) => other !== each)
    await has('follows the new MAC address', each, await wanted(others, overlayOf))
  }
  await bastion.host.run(['ip', 'address', 'delete', '192.168.234.1/23', 'dev', DEVICE])
  await until('it has its address again', async () => bastion.pings('192.168.234.2'), { within: seconds(30) })
  for (const each of [first, second])
    await has(
      'has what leads to it',
      each,
      await wanted(
        [bastion, first, second].filter((other) => other !== each),
        overlayOf,
      ),
    )
  await has('has all entries', bastion, lines)
  expect((await bastion.status()).tunnels[0]).toMatchObject({ addresses: ['192.168.234.1/23'], entries: { wanted: 6, present: 6 } })
})

test('a member whose device becomes a port of a bridge is only flooded to, and what is behind it is learned', async () => {
  await using hosts = await trio()
  const { bastion, first, second } = hosts
  await started(hosts)
  const full = await wanted([first, second], overlayOf)
  await has('has all entries', bastion, full)
  await first.host.run(['ip', 'link', 'add', 'name', 'br0', 'type', 'bridge'])
  await first.host.run(['ip', 'address', 'add', '192.168.234.5/23', 'dev', 'br0'])
  await first.host.run(['ip', 'link', 'set', 'dev', 'br0', 'up'])
  await first.host.run(['ip', 'link', 'set', 'dev', DEVICE, 'master', 'br0'])
  for (const each of [bastion, second]) {
    const rest = await wanted(
      [bastion, second].filter((other) => other !== each),
      overlayOf,
    )
    await has('only floods to it', each, [`${ZERO_MAC} dst ${first.underlay}`, ...rest])
    expect(await each.sees(first)).toMatchObject({ mac: null, entry: 'present' })
    await until(`${each.host.name} pings what is behind it`, async () => each.pings('192.168.234.5'), { within: seconds(60) })
  }
  await first.host.run(['ip', 'link', 'set', 'dev', DEVICE, 'nomaster'])
  await has('has all entries again', bastion, full)
})

describe('on a device that somebody else made', () => {
  test.each(canNetworkd ? ['systemd-networkd'] : [])(
    '%s takes our neighbours away when it reconfigures, and they are put back',
    async () => {
      await using hosts = await trio()
      const { bastion, first } = hosts
      const files = join(hosts.mesh.directory, 'networkd')
      await mkdir(files)
      await writeFile(
        join(files, `${DEVICE}.netdev`),
        `[NetDev]\nName=${DEVICE}\nKind=vxlan\n[VXLAN]\nVNI=16\nLocal=${first.underlay}\nDestinationPort=4789\nMacLearning=yes\nIndependent=yes\n`,
      )
      await writeFile(
        join(files, `${DEVICE}.network`),
        `[Match]\nName=${DEVICE}\n[Network]\nConfigureWithoutCarrier=yes\nKeepConfiguration=static\nAddress=192.168.234.2/23\n`,
      )
      const manager = networkd(first.host, files, 'with a bus')
      const configured = async (): Promise<unknown> =>
        (await networkctl(first.host, manager, 'status', DEVICE)).includes('(configured)') || manager.lines
      await until('networkd has made the device', configured, { within: seconds(60) })
      bastion.up()
      const daemon = member(hosts.mesh, first.host, undefined).up('--seed', bastion.underlay)
      await until('it has its device', async () => (await macOf(bastion)) !== '', { within: seconds(60) })
      const lines = await wanted([bastion], overlayOf)
      await has('has its entries', first, lines)
      const flushes = await first.host.monitor(['ip', 'monitor', 'neigh'])
      for (const time of [1, 2]) {
        await networkctl(first.host, manager, 'reconfigure', DEVICE)
        const deleted = (): unknown =>
          flushes.lines.filter((line) => line.startsWith(`Deleted 192.168.234.1 dev ${DEVICE}`)).length >= time || flushes.lines
        await until('networkd has deleted a neighbour of ours', deleted, { within: seconds(30) })
        await has('has its entries again', first, lines)
        await until('it pings', async () => first.pings('192.168.234.1'), { within: seconds(30) })
      }
      // Where the address of the device was missed as well, as networkd sets that anew, no neighbour was wanted for a moment.
      const written = () => messages(daemon).filter((line) => line.startsWith('ip neighbour replace 192.168.234.1 ')).length
      await until('both times are logged', async () => written() === 3 || messages(daemon), { within: seconds(30) })
      expect((await first.status()).tunnels[0]).toMatchObject({ origin: 'adopted', writes: lines.length + 2 })
    },
  )

  test('what is not ours is left alone, and what is in the way is reported; ours is known again without the state', async () => {
    await using hosts = await trio()
    const { bastion, first, second } = hosts
    const dev = ['dev', DEVICE]
    const hand = async (...argv: readonly string[]): Promise<unknown> => first.host.run(argv)
    await hand(
      'ip',
      'link',
      'add',
      'name',
      DEVICE,
      'type',
      'vxlan',
      'id',
      '16',
      'local',
      first.underlay,
      'remote',
      '192.168.226.99',
      'dstport',
      '4789',
    )
    await hand('bridge', 'fdb', 'append', '02:00:00:00:00:99', 'dst', '192.168.226.99', ...dev)
    await hand('ip', 'neighbour', 'replace', '192.168.234.99', 'lladdr', '02:00:00:00:00:99', ...dev, 'nud', 'permanent')
    await hand('ip', 'neighbour', 'replace', '192.168.234.3', 'lladdr', '02:00:00:00:00:33', ...dev, 'nud', 'permanent')
    const foreign = await entries(first)
    expect(foreign).toHaveLength(4)
    bastion.up()
    const daemon = first.up('--seed', bastion.underlay)
    second.up('--seed', bastion.underlay)
    for (const each of [bastion, second])
      await until(`${each.host.name} has its device`, async () => (await macOf(each)) !== '', { within: seconds(60) })
    const ours = async (of: readonly Member[]): Promise<readonly string[]> =>
      (await wanted(of, overlayOf)).filter((line) => !line.startsWith('192.168.234.3 '))
    await has('has ours beside them', first, [...foreign, ...(await ours([bastion, second]))])
    const report = await first.status()
    expect(report.tunnels[0]).toMatchObject({ origin: 'adopted', entries: { wanted: 6, present: 5, foreign: 4 } })
    expect(await first.sees(second)).toMatchObject({
      entry: 'missing',
      note: "conflict: somebody else's neighbour 192.168.234.3 is in the way",
    })
    expect(report.health.join()).toContain('somebody else has lladdr 02:00:00:00:00:33 there, which is left alone')

    // The view is saved a moment after it changed, and only from it can who leaves meanwhile be known again.
    await until('its view is saved', async () => (await savedRecords(first)) === 3, { within: seconds(60) })
    daemon.signal('SIGKILL')
    await daemon.exit
    await rm(join(first.stateDirectory, 'state.json'))
    expect((await second.vxmesh('leave')).code).toBe(0)
    first.up('--seed', bastion.underlay)
    await until('it is up again', async () => (await first.sees(bastion))?.state === 'alive', { within: seconds(60) })
    await has('has ours for who is left', first, [...foreign, ...(await ours([bastion]))])
    expect((await first.vxmesh('leave')).code).toBe(0)
    expect(await entries(first)).toEqual(foreign)
  })
})
