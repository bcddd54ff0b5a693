/**
 * A member whose device changes while its daemon runs, or between two runs of it, as an operator changes it by hand. Every
 * other kernel follows, its new entries first. All of it once with one port everywhere, and once with another on one host.
 */
import { seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { until } from './harness.ts'
import { converged, DEVICE, type Member } from './member.ts'
import type { Process } from './process.ts'
import { seesState, started, trio } from './trio.ts'

const ZERO_MAC = '00:00:00:00:00:00'

/** What a kernel has been told of the first host, and not learned, as `bridge fdb show` and `ip neighbour show` say it. */
async function told(at: Member, of: readonly string[]): Promise<readonly string[]> {
  const fdb = (await at.host.run(['bridge', 'fdb', 'show', 'dev', DEVICE])).split('\n')
  const neighbours = (await at.host.run(['ip', '-N', 'neighbour', 'show', 'dev', DEVICE, 'nud', 'permanent'])).split('\n')
  return [
    ...fdb.filter((line) => line.includes(' permanent') && of.some((underlay) => line.includes(` dst ${underlay} `))),
    ...neighbours.filter((line) => /^192\.168\.234\.[29] /.test(line)),
  ]
    .map((line) => line.replace(/ self permanent| PERMANENT/, '').trim())
    .toSorted()
}

/** Waits until each of these kernels has these lines, of all that it might have for the member, and no others. */
async function follow(what: string, watchers: readonly Member[], of: readonly string[], lines: readonly string[]): Promise<void> {
  const shown = async (): Promise<unknown> => {
    const tables = await Promise.all(watchers.map(async (each) => told(each, of)))
    return tables.every((table) => table.join('\n') === lines.toSorted().join('\n')) || tables
  }
  await until(what, shown, { within: seconds(60) })
}

async function reported(watchers: readonly Member[], of: Member, expected: object): Promise<void> {
  for (const each of watchers) {
    const seen = async (): Promise<unknown> => {
      const row = await each.sees(of)
      expect(row).toMatchObject({ ...expected, entry: 'present' })
      return true
    }
    await until(`${each.host.name} reports ${JSON.stringify(expected)}`, seen, { within: seconds(60) })
  }
}

async function ping(from: readonly Member[], address: string): Promise<void> {
  for (const each of from) await until(`${each.host.name} pings ${address}`, async () => each.pings(address), { within: seconds(60) })
}

/** Waits until the monitors have said both, the new entry first. */
async function inOrder(monitors: readonly Process[], added: string, deleted: string): Promise<void> {
  for (const { lines } of monitors) {
    const heard = (): unknown => lines.some((line) => line.startsWith(`Deleted ${inMonitor(deleted)} self`)) || lines
    await until(`the monitor hears that ${deleted} went`, heard, { within: seconds(30) })
    const came = lines.findIndex((line) => line.startsWith(`${inMonitor(added)} self`))
    const went = lines.findIndex((line) => line.startsWith(`Deleted ${inMonitor(deleted)} self`))
    if (came < 0 || came > went) throw new Error(`${added} did not come before ${deleted} went:\n${lines.join('\n')}`)
  }
}

/** `bridge monitor` names the device between the MAC address and the destination. */
function inMonitor(line: string): string {
  return line.replace(' dst ', ` dev ${DEVICE} dst `)
}

async function macOf(of: Member): Promise<string> {
  return /link\/ether (\S+)/.exec(await of.host.run(['ip', 'link', 'show', 'dev', DEVICE]))?.[1] ?? ''
}

test.each<[string, string | undefined]>([
  ['on the port of all', undefined],
  ['on a port of its own', '8472'],
])(
  'a member %s gets another underlay address, MAC address and overlay address: every kernel follows, the new entries first',
  async (_name, own) => {
    await using hosts = await trio()
    const { bastion, first, second } = hosts
    const others = [bastion, second]
    const [, daemon] = await started(hosts)
    const monitors = await Promise.all(others.map(async ({ host }) => host.monitor()))
    const [before, after] = [first.underlay, '192.168.226.15']
    const port = own === undefined ? '' : ` port ${own}`
    const entries = (underlay: string, mac: string, ...overlay: readonly string[]): readonly string[] => [
      `${ZERO_MAC} dst ${underlay}${port}`,
      `${mac} dst ${underlay}${port}`,
      ...overlay.map((address) => `${address} lladdr ${mac} proto 118`),
    ]
    const [home, another] = ['192.168.234.2', '192.168.234.9']

    if (own !== undefined) {
      // The port of a device cannot change: the operator makes room for another.
      daemon.signal('SIGTERM')
      await daemon.exit
      await first.host.run(['ip', 'link', 'delete', 'dev', DEVICE])
      first.up('--vxlan-port', own)
      await until('the device is there again', async () => (await macOf(first)) !== '', { within: seconds(60) })
      await follow('the new port is everywhere', others, [before], entries(before, await macOf(first), home))
      await inOrder(monitors, `${ZERO_MAC} dst ${before}${port}`, `${ZERO_MAC} dst ${before}`)
      await converged(hosts.all)
      await seesState(bastion, first, 'alive')
    }
    await reported(others, first, own === undefined ? { port: 4789, note: null } : { port: 8472, note: 'port 8472 there, 4789 here' })
    await ping(others, '192.168.234.2')

    const old = await macOf(first)
    const mac = '02:00:00:00:00:77'
    await first.host.run(['ip', 'link', 'set', 'dev', DEVICE, 'address', mac])
    await follow('the new MAC address is everywhere', others, [before], entries(before, mac, home))
    await inOrder(monitors, `${mac} dst ${before}${port}`, `${old} dst ${before}${port}`)
    for (const each of others) expect(await each.pings(home)).toBe(true)
    await reported(others, first, { mac })

    await first.host.run(['ip', 'address', 'add', `${another}/23`, 'dev', DEVICE])
    await follow('the new overlay address is everywhere', others, [before], entries(before, mac, home, another))
    for (const each of others) expect(await each.pings(another)).toBe(true)
    await reported(others, first, { overlay: [`${home}/23`, `${another}/23`] })

    await first.host.run(['ip', 'address', 'add', `${after}/24`, 'dev', 'eth0'])
    await first.host.run(['ip', 'link', 'set', 'dev', DEVICE, 'type', 'vxlan', 'id', '16', 'local', after])
    await follow('the new underlay address is everywhere', others, [before, after], entries(after, mac, home, another))
    await inOrder(monitors, `${ZERO_MAC} dst ${after}${port}`, `${ZERO_MAC} dst ${before}${port}`)
    await reported(others, first, { underlay: after })
    await ping(others, '192.168.234.2')
    await ping([first], '192.168.234.1')

    await first.host.run(['ip', 'address', 'delete', '192.168.234.9/23', 'dev', DEVICE])
    await first.host.run(['ip', 'link', 'set', 'dev', DEVICE, 'mtu', '1400'])
    await reported(others, first, { overlay: ['192.168.234.2/23'], mtu: 1400 })
    for (const each of others) expect((await each.status()).tunnels[0]).toMatchObject({ repairs: 0, entries: { foreign: 0 } })
  },
)
