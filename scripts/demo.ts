/**
 * The operator's three hosts, told step by step in the tools' own output: start, members, forwarding tables, pings, a
 * kill and a return, a leave. With `--lan` they are given no address of each other. In a lab the hosts are network namespaces on the real kernel; with `--memory` they are
 * three daemons on loopback whose kernels are in memory, and what needs a real kernel is left out.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { seconds } from '@vxmesh/core'
import { openSwitch, until } from '../test/netns/harness.ts'
import { initMesh, localHost, member, type Member, type Place } from '../test/netns/member.ts'
import type { Process } from '../test/netns/process.ts'

/** The recipe: a bastion and two OpenStack hosts, in a cloud without multicast and without a common L2. */
const HOSTS = [
  { name: 'bastion', underlay: '192.168.226.4/24', overlay: '192.168.234.1' },
  { name: 'host-00', underlay: '192.168.226.5/24', overlay: '192.168.234.2' },
  { name: 'host-01', underlay: '192.168.226.6/24', overlay: '192.168.234.3' },
] as const

const [BOLD, PLAIN] = process.stdout.isTTY ? ['\u001B[1m', '\u001B[0m'] : ['', '']

/** With the kernel in memory the daemons share loopback, so each has a port of its own. */
const FIRST_MEMORY_PORT = 24_788

type Actor = { readonly at: Member<Place>; readonly overlay: string; readonly flags: readonly string[] }

let steps = 0

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

function step(text: string): void {
  steps += 1
  say(`\n${BOLD}${String(steps)}. ${text}${PLAIN}`)
}

function shown(host: string, command: string, output: string): void {
  say(`   ${host}# ${command}`)
  for (const line of output.split('\n').filter((each) => each !== '')) say(`     ${line}`)
}

async function show({ at }: Actor, ...argv: readonly string[]): Promise<void> {
  const { stdout, stderr } = await at.host.outcome(argv)
  shown(at.host.name, argv.join(' '), stdout + stderr)
}

/** What a command of ours says, but for the lines that are of no use here. */
async function showVxmesh({ at }: Actor, command: string, useless?: RegExp): Promise<void> {
  const { stdout, stderr } = await at.vxmesh(command)
  const lines = `${stdout}${stderr}`.split('\n').filter((line) => useless?.test(line) !== true)
  shown(at.host.name, `vxmesh ${command}`, lines.join('\n'))
}

function start({ at, flags }: Actor): Process {
  const essential = [
    '--invite',
    'mesh.invite',
    '--device',
    'provider0',
    '--mode',
    'vxlan',
    '--id',
    '16',
    '--local',
    at.underlay,
    ...at.overlayFlags,
    ...flags,
  ]
  shown(at.host.name, `vxmesh up ${essential.join(' ')} &`, '')
  return at.up(...flags)
}

/** Every one of these has all entries for every other, and no more. */
async function complete(actors: readonly Actor[]): Promise<void> {
  // One after the other: asked at once, those that are up would be asked again and again, each time anew reading their
  // kernels, while the one that still starts refuses; they would be long busy with that once it is up.
  const whole = async (): Promise<unknown> => {
    for (const { at } of actors.toReversed()) {
      const { tunnels, members } = await at.status()
      const entries = tunnels[0]?.entries
      const known = members.filter(({ entry }) => entry === 'present').length
      if (known !== actors.length - 1 || entries?.wanted !== entries?.present || entries?.foreign !== 0) return { known, entries }
    }
    return true
  }
  await until('every host has all entries for every other', whole, { within: seconds(60) })
}

async function restarting({ at }: Actor, other: Actor): Promise<void> {
  const state = async (): Promise<unknown> => (await at.sees(other.at))?.state
  await until('the kill is noticed', async () => (await state()) === 'restarting' || (await state()), { within: seconds(30) })
}

async function showPing({ at }: Actor, { overlay }: Actor): Promise<void> {
  const { stdout } = await at.host.outcome(['ping', '-c', '1', '-W', '1', overlay])
  shown(
    at.host.name,
    `ping -c 1 ${overlay}`,
    stdout
      .split('\n')
      .filter((line) => / bytes from | packets transmitted/.test(line))
      .join('\n'),
  )
}

async function pingAll(actors: readonly Actor[]): Promise<void> {
  for (const from of actors) {
    for (const to of actors.filter((each) => each !== from)) {
      await until(`${from.at.host.name} reaches ${to.overlay}`, async () => from.at.pings(to.overlay), { within: seconds(10) })
      await showPing(from, to)
    }
  }
}

/** How a story goes: on real kernels or not, on a LAN or by seeds, to its end or until three hosts stand. */
type Telling = { readonly real: boolean; readonly lan: boolean; readonly keep: boolean }

async function tell(actors: readonly [Actor, Actor, Actor], { real, lan, keep }: Telling): Promise<void> {
  const [bastion, first, second] = actors
  step(
    lan
      ? 'Each host starts one daemon. None is given the address of another.'
      : 'Each host starts one daemon. Two know one address, that of the bastion; the bastion knows nobody.',
  )
  start(bastion)
  const daemon = start(first)
  start(second)
  await complete(actors)

  step(
    lan
      ? 'They have found each other by multicast DNS, under a name that only their mesh has.'
      : 'They have found each other: host-01, which knows only the bastion, has host-00 by gossip.',
  )
  await showVxmesh(second, 'status')

  if (real) {
    step('Each kernel holds one zero-MAC entry per other host, what had to be typed as "bridge fdb append", and one for its device.')
    for (const actor of actors) await show(actor, 'bridge', 'fdb', 'show', 'dev', 'provider0')
    step('Every host reaches every other inside the tunnel.')
    await pingAll(actors)
  }

  step(
    'The daemon of host-00 is killed (-9). Its host still answers, so nobody touches an entry' + (real ? ', and the tunnel goes on.' : '.'),
  )
  daemon.signal('SIGKILL')
  await daemon.exit
  shown('host-00', `kill -9 ${String(daemon.pid)}`, '')
  await restarting(bastion, first)
  await showVxmesh(bastion, 'status')
  if (real) await showPing(bastion, first)

  step(`It comes back${real ? ', adopts what its kernel holds,' : ''} and is known again by a higher incarnation.`)
  start(first)
  await complete(actors)
  await showVxmesh(bastion, 'status')

  step('host-01 leaves: the others remove its entry at once, and it removes its own.')
  await showVxmesh(second, 'leave', real ? undefined : /ip link delete/)
  await complete([bastion, first])
  await showVxmesh(bastion, 'status')
  if (real) await show(bastion, 'bridge', 'fdb', 'show', 'dev', 'provider0')

  if (!keep) return
  step('host-01 joins again, so that three hosts stand.')
  start(second)
  await complete(actors)
}

async function inNamespaces({ keep, lan }: { readonly keep: string | undefined; readonly lan: boolean }): Promise<void> {
  const net = await openSwitch()
  const mesh = await initMesh(keep)
  const actors: Actor[] = []
  for (const { name, underlay, overlay } of HOSTS) {
    actors.push({
      at: member(mesh, await net.host(name, underlay), `${overlay}/23`, undefined, lan ? 'on the LAN' : 'by seeds'),
      overlay,
      flags: lan || name === 'bastion' ? [] : ['--seed', '192.168.226.4'],
    })
  }
  say(`Three hosts on a switch${lan ? '' : ', without multicast'}. Underlay 192.168.226.0/24, overlay 192.168.234.0/23, VXLAN id 16.`)
  try {
    await tell(trio(actors), { real: true, lan, keep: keep !== undefined })
    if (keep !== undefined) await standUntilKilled(keep)
  } finally {
    await net.dispose()
    await mesh[Symbol.asyncDispose]()
  }
}

/** The hosts stay until the lab is ended from outside. */
async function standUntilKilled(keep: string): Promise<void> {
  say(`
The three hosts stand. To look inside:
   ./scripts/demo --in bastion vxmesh status
   ./scripts/demo --in host-00 bridge fdb show dev provider0
   ./scripts/demo --in host-01 ping -c 3 192.168.234.1
   ./scripts/demo --in bastion
To end them:
   ./scripts/demo --stop`)
  await writeFile(join(keep, 'done'), '')
  await new Promise(() => {})
}

async function overLoopback(): Promise<void> {
  await using mesh = await initMesh()
  const hosts = HOSTS.map(({ name, underlay }) => localHost(name, underlay))
  const actors = HOSTS.map(({ overlay }, index): Actor => {
    const host = hosts[index]
    if (host === undefined) throw new Error('a host for every name')
    const own = ['--kernel', 'memory', '--port', String(FIRST_MEMORY_PORT + index)]
    const seed = index === 0 ? [] : ['--seed', `127.0.0.1:${String(FIRST_MEMORY_PORT)}`]
    return { at: member(mesh, host, `${overlay}/23`), overlay, flags: [...own, ...seed] }
  })
  say('Three daemons over loopback, each with a kernel in memory.')
  try {
    await tell(trio(actors), { real: false, lan: false, keep: false })
  } finally {
    await Promise.all(hosts.map(async (host) => host.dispose()))
  }
}

function trio(actors: readonly Actor[]): readonly [Actor, Actor, Actor] {
  const [a, b, c] = actors
  if (a === undefined || b === undefined || c === undefined) throw new Error('three hosts')
  return [a, b, c]
}

const began = performance.now()
const [mode, keep] = process.argv.slice(2)
await (mode === '--memory' ? overLoopback() : inNamespaces({ keep: mode === '--keep' ? keep : undefined, lan: mode === '--lan' }))
say(`\nThat is the whole story, in ${String(Math.round((performance.now() - began) / 1000))} s.`)
