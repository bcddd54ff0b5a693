import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { runCli } from './cli.ts'
import { freePort, typed } from './typed.ts'

let directory = ''

beforeAll(async () => {
  // Loaded only for a daemon, which takes a while where the machine is busy.
  await import('./daemon.ts')
}, 60_000)

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vxmesh-cli-'))
  vi.stubEnv('VXMESH_CONTROL', join(directory, 'control.sock'))
})

afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(directory, { recursive: true })
})

const vxmesh = async (...args: readonly string[]) => typed(directory, args)

test('up carries the tunnels of a file, and says of each what there is to say', async () => {
  await vxmesh('init', '--dir', directory)
  const config = join(directory, 'vxmesh.yaml')
  const file = (tunnels: string): void =>
    writeFileSync(config, `invite: mesh.invite\nname: bastion\nstate-dir: state\nport: ${port}\n${tunnels}`)
  const port = await freePort()
  const up = ['up', '--config', config, '--kernel', 'memory', '--log-level', 'error']
  file(
    'tunnels:\n  provider0: { id: 16, local: 192.168.226.4, addresses: [192.168.234.1/23] }\n  provider1: { id: 17, local: "fd00::4", addresses: ["fd01::4/64"] }\n',
  )
  const steps = (await vxmesh(...up, '--dry-run')).out.split('\n').filter((line) => line.includes('link add'))
  expect(steps).toEqual([
    'ip link add name provider0 mtu 1450 type vxlan id 16 local 192.168.226.4 dstport 4789 learning',
    'ip link add name provider1 mtu 1430 type vxlan id 17 local fd00::4 dstport 4789 learning',
  ])
  const life = runCli(up)
  await vi.waitFor(async () => expect((await vxmesh('status')).code).toBe(0), 10_000)
  expect((await vxmesh('status')).out.split('\n')).toEqual([
    'NAME     TUNNEL     OVERLAY        UNDERLAY       STATE  SEEN  ENTRY  NOTE',
    'bastion  provider0  192.168.234.1  192.168.226.4  self   -     -',
    'bastion  provider1  fd01::4        fd00::4        self   -     -',
    '',
    'provider0 (vxlan id 16, port 4789, mtu 1450): 0 of 0 entries present',
    'provider1 (vxlan id 17, port 4789, mtu 1430): 0 of 0 entries present',
    '',
  ])
  expect(await vxmesh('plan')).toEqual({ code: 0, out: '# nothing to do: provider0, provider1 have what they should\n', err: '' })
  const made = (await vxmesh('export')).out.match(/^(ip link|ip address) add .*$/gm)
  expect(made).toEqual([
    expect.stringMatching(/^ip link add name provider0 .* id 16 local 192\.168\.226\.4 dstport 4789$/),
    'ip address add 192.168.234.1/23 dev provider0',
    expect.stringMatching(/^ip link add name provider1 .* id 17 local fd00::4 dstport 4789$/),
    'ip address add fd01::4/64 dev provider1',
  ])
  expect((await vxmesh('leave')).out).toBe(
    [
      'left the mesh; 0 entries removed from provider0',
      'provider0 itself stays; remove it with: ip link delete dev provider0',
      'left the mesh; 0 entries removed from provider1',
      'provider1 itself stays; remove it with: ip link delete dev provider1',
      'to come back: "vxmesh up" with the same flags',
      '',
    ].join('\n'),
  )
  expect(await life).toBe(0)

  file('tunnels:\n  provider0: { id: 16, local: 192.168.226.4 }\n  provider1: { vni: 17 }\n')
  expect(await vxmesh(...up)).toEqual({
    code: 78,
    out: '',
    err: 'vxmesh: vxmesh.yaml:7: tunnels.provider1.vni: unknown; the keys here are mode, id, key, local, addresses, port, mtu, master\n',
  })
  expect((await vxmesh(...up, '--id', '16')).code).toBe(2)
}, 30_000)
