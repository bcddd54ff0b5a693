import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DeviceName, Hold, IpAddress, Operation, Slot } from '@vxmesh/core'
import { slot } from '@vxmesh/core'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { foresee, foreseeFrom, foreseen } from './foresight.ts'
import { initMesh } from './meshkey.ts'
import { parseUpOptions, type RawUpOptions } from './options.ts'

const DEVICE = 'provider0' as DeviceName
const ADD: Operation = { kind: 'add', entry: { kind: 'flood', underlay: '10.0.0.2' as IpAddress } }
const REMOVE: Operation = { kind: 'remove', entry: { kind: 'flood', underlay: '10.0.0.3' as IpAddress } }

const ISOLATED: Hold = { reason: 'isolated', replacements: true, brief: false }

let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vxmesh-foresight-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true })
})

function told(hold: Hold | undefined, ...evicted: readonly Slot[]): readonly string[] {
  const { commands } = foreseen(DEVICE, ['ip link set dev provider0 up'], [ADD, REMOVE], { desired: { evicted: new Set(evicted) }, hold })
  return commands.map(({ command, held }) => `${held ? 'held ' : ''}${command}`)
}

describe('what is foreseen', () => {
  test('is the device, then its entries, as one would type it', () => {
    expect(told(undefined)).toEqual([
      'ip link set dev provider0 up',
      'bridge fdb append 00:00:00:00:00:00 dst 10.0.0.2 dev provider0',
      'bridge fdb delete 00:00:00:00:00:00 dst 10.0.0.3 dev provider0',
    ])
  })

  test('names removals that are held', () => {
    expect(told(ISOLATED)[2]).toBe('held bridge fdb delete 00:00:00:00:00:00 dst 10.0.0.3 dev provider0')
  })

  test('holds no removal of who is evicted', () => {
    expect(told(ISOLATED, slot(REMOVE.entry))[2]).toBe('bridge fdb delete 00:00:00:00:00:00 dst 10.0.0.3 dev provider0')
  })
})

describe('a dry run', () => {
  const VXLAN = { mode: 'vxlan', id: '16' }
  const raw = (parts: Partial<RawUpOptions> = {}, name: Pick<RawUpOptions, 'mode' | 'id' | 'key'> = VXLAN): RawUpOptions => ({
    device: DEVICE,
    ...name,
    local: '127.0.0.1',
    address: ['192.168.234.1/23'],
    seed: [],
    discover: [],
    stateDir: join(directory, 'state'),
    control: 'none',
    port: '4788',
    logLevel: 'error',
    guard: 'off',
    underlay: [],
    kernel: 'memory',
    ...parts,
  })

  test('of a first start tells how the device is made, and writes nothing', async () => {
    const { inviteFile } = await initMesh(join(directory, 'mesh'))
    const { commands, hold } = await foresee(parseUpOptions(raw({ invite: inviteFile })))
    expect(commands.map(({ command }) => command)).toEqual([
      'ip link add name provider0 mtu 1450 type vxlan id 16 local 127.0.0.1 dstport 4789 learning',
      expect.stringMatching(/^ip link set dev provider0 alias vxmesh:[A-Za-z0-9]+:16$/),
      'ip address add 192.168.234.1/23 dev provider0',
      'ip link set dev provider0 up',
    ])
    expect(hold).toBeNull()
    expect(readdirSync(directory)).toEqual(['mesh'])
  })

  test('of multipoint GRE tells what becomes unreachable, and the guard', async () => {
    const { inviteFile } = await initMesh(join(directory, 'mesh'))
    const { commands } = await foresee(parseUpOptions(raw({ guard: 'on', invite: inviteFile }, { mode: 'gre', key: '1234' })))
    expect(commands.map(({ command }) => command)).toEqual([
      'ip link add name provider0 mtu 1472 type gre local 127.0.0.1 key 1234',
      expect.stringMatching(/^ip link set dev provider0 alias vxmesh:[A-Za-z0-9]+:gre:1234$/),
      'ip address add 192.168.234.1/23 dev provider0',
      'ip link set dev provider0 up',
      expect.stringMatching(/^nft 'add table inet vxmesh-provider0; .* ip protocol gre counter drop; }; }'$/),
      'ip route add unreachable 192.168.234.0/24 metric 4278198272 protocol 118',
      'ip route add unreachable 192.168.235.0/24 metric 4278198272 protocol 118',
    ])
  })

  test('without an invite is refused as the start would be', async () => {
    await expect(foresee(parseUpOptions(raw()))).rejects.toThrow(/--invite: needed at the first start/)
    expect(readdirSync(directory)).toEqual([])
  })

  test('from a state directory that no daemon ever had is none', async () => {
    expect(await foreseeFrom(directory)).toBeUndefined()
  })
})
