import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { makeIdentity } from '@vxmesh/gossip/libp2p'
import { z } from 'zod'
import { statusAnswer } from './answers.ts'
import { runCli } from './cli.ts'
import { freePort, typed } from './typed.ts'

const manifest = z.object({ version: z.string() }).parse(JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')))

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
  vi.restoreAllMocks()
  rmSync(directory, { recursive: true })
})

const vxmesh = async (...args: readonly string[]) => typed(directory, args)

describe('help', () => {
  test.each(['--help', '-h', 'up --help', 'status --help', 'leave --help', 'init --help', 'export --help'])('%s exits 0', async (line) => {
    const { code, out, err } = await vxmesh(...line.split(' '))
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(/^Usage: vxmesh /)
  })

  test.each([
    ['help', '--help'],
    ['help up', 'up --help'],
    ['help init', 'init --help'],
  ])('%s is %s', async (line, flag) => {
    const [asked, flagged] = [await vxmesh(...line.split(' ')), await vxmesh(...flag.split(' '))]
    expect(asked).toEqual(flagged)
  })

  test.each(['--version', '-V'])('%s says which this is', async (flag) => {
    expect(await vxmesh(flag)).toEqual({ code: 0, out: `${manifest.version}\n`, err: '' })
  })

  test('lists the commands and the exit codes', async () => {
    const { out } = await vxmesh('--help')
    for (const word of ['init', 'up', 'status', 'leave', 'invite', 'invites', 'join', 'identity', 'revoke', 'Exit codes: 0 done'])
      expect(out).toContain(word)
  })
})

describe('a wrong command line exits 2, says why in one line, and does nothing', () => {
  const UP = ['up', '--device', 'provider0', '--id', '16']
  test.each([
    ['an unknown flag', ['--bogus'], "vxmesh: unknown option '--bogus'\n"],
    ['an unknown flag of a command', ['leave', '--now'], "vxmesh: unknown option '--now'\n"],
    ['a mistyped flag', [...UP, '--sead', 'a'], "vxmesh: unknown option '--sead' (Did you mean --seed?)\n"],
    ['an unknown flag that would reach the terminal', ['--a\u001B[2J'], "vxmesh: unknown option '--a\\u{1b}[2J'\n"],
    ['an invite for nobody', ['invite', '--members', 'x'], 'vxmesh: --members x: a number of members; 0 for any number\n'],
    ['no time to wait', ['revoke', 'a', '--wait', 'x'], 'vxmesh: --wait x: a number of seconds\n'],
    ['a word too many', ['leave', 'now'], "vxmesh: too many arguments for 'leave'. Expected 0 arguments but got 1: now.\n"],
    ['a flag without its value', ['status', '--control'], "vxmesh: option '--control <path>' argument missing\n"],
    ['an unknown command', ['bogus'], "vxmesh: unknown command 'bogus'\n"],
    ['a mistyped command', ['statsu'], "vxmesh: unknown command 'statsu' (Did you mean status?)\n"],
    ['help for an unknown command', ['help', 'bogus'], "vxmesh: unknown command 'bogus'\n"],
    ['no device', ['up', '--id', '16'], 'vxmesh: --device: needed, the device of the tunnel\n'],
    ['no id', ['up', '--device', 'provider0'], 'vxmesh: --id: needed, the VXLAN id\n'],
    [
      'a mistyped flag in the place of one that is needed',
      ['up', '--devise', 'a'],
      "vxmesh: unknown option '--devise' (Did you mean --device?)\n",
    ],
    ['an empty place for a mesh', ['init', '--dir', ''], 'vxmesh: --dir: needs a path\n'],
    ['a wrong id', ['up', '--device', 'provider0', '--id', 'x'], 'vxmesh: --id x: a VXLAN id is a whole number from 1 to 16777215\n'],
    ['a wrong seed', [...UP, '--seed', 'a', '--seed', 'a:0'], 'vxmesh: --seed a:0: a port is a whole number from 1 to 65535\n'],
    ['a mode to come', [...UP, '--mode', 'geneve'], 'vxmesh: --mode geneve: the mode is vxlan or gre\n'],
    [
      'a value that would reach the terminal',
      [...UP, '--name', 'a\u001B[2J\nb'],
      'vxmesh: --name a\\u{1b}[2J\\u{a}b: a name is 1 to 63 lower-case letters, digits and inner hyphens\n',
    ],
  ])('%s', async (_name, args, err) => {
    expect(await vxmesh(...args)).toEqual({ code: 2, out: '', err })
    expect(readdirSync(directory)).toEqual([])
  })
})

describe('without a daemon', () => {
  const NONE =
    'vxmesh: no daemon answers at control.sock: there is no such socket; start one with "vxmesh up", or name its socket with --control\n'
  test.each([[[]], [['--json']], [['status']], [['status', '--json']], [['status', '--metrics']], [['leave']], [['revoke', 'a']]])(
    '%j exits 3, and says so in one line',
    async (args) => {
      expect(await vxmesh(...args)).toEqual({ code: 3, out: '', err: NONE })
    },
  )

  test('the socket that is named is the one that is tried', async () => {
    const { code, err } = await vxmesh('status', '--control', join(directory, 'other.sock'))
    expect([code, err.slice(0, 46)]).toEqual([3, 'vxmesh: no daemon answers at other.sock: there'])
  })
})

describe('init', () => {
  test('says what it made and what to do with it', async () => {
    const { code, out, err } = await vxmesh('init', '--dir', directory)
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(
      /^mesh 12D3KooW\w{44}\nmesh.key: the key of the mesh; no host needs it, keep it offline\nmesh.invite: admits hosts; copy it to each, for "vxmesh up --invite mesh.invite"\n$/,
    )
  })

  test('twice exits 78, and leaves the first as it is', async () => {
    await vxmesh('init', '--dir', directory)
    const before = readFileSync(join(directory, 'mesh.key'), 'utf8')
    expect(await vxmesh('init', '--dir', directory)).toEqual({
      code: 78,
      out: '',
      err: 'vxmesh: mesh.key: there is a mesh here already; choose another --dir, or move these files away\n',
    })
    expect(readFileSync(join(directory, 'mesh.key'), 'utf8')).toBe(before)
  })
})

describe('up, with the kernel in memory', () => {
  async function flags(more: readonly string[] = []): Promise<readonly string[]> {
    const tunnel = ['--device', 'provider0', '--id', '16', '--local', '192.168.226.4', '--address', '192.168.234.1/23', '--name', 'bastion']
    const place = ['--state-dir', join(directory, 'state'), '--port', await freePort(), '--kernel', 'memory', '--log-level', 'error']
    return ['up', ...tunnel, ...place, ...more]
  }

  test.each<[string, readonly string[], string]>([
    ['without an invite', [], 'vxmesh: --invite: needed at the first start: there is no membership in state\n'],
    [
      'with an invite that is not there',
      ['--invite', 'absent'],
      'vxmesh: --invite absent: cannot be read: there is no absent; name the file that "vxmesh init" made, or a copy that this user may read\n',
    ],
    [
      'with a control socket below a file',
      ['--control', '/dev/null/x'],
      'vxmesh: --control /dev/null/x: /dev/null is no directory; choose another place\n',
    ],
    [
      'with a control socket where none can be',
      ['--control', '/proc/x/x.sock'],
      'vxmesh: --control /proc/x/x.sock: /proc/x cannot be made there; choose another place\n',
    ],
    [
      'with a state directory where none can be',
      ['--state-dir', '/proc/nope'],
      'vxmesh: --state-dir /proc/nope: /proc/nope cannot be made there; choose another place\n',
    ],
    [
      'with a state directory that is a file',
      ['--state-dir', '/dev/null'],
      'vxmesh: --state-dir /dev/null: /dev/null is no directory; choose another place\n',
    ],
    [
      'with a port that is taken',
      ['--port', 'TAKEN'],
      'vxmesh: --port TAKEN: cannot listen on 127.0.0.1: listen EADDRINUSE: address already in use 127.0.0.1:TAKEN\n',
    ],
  ])('%s exits 78', async (_name, more, err) => {
    const server = createServer()
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    const taken = String((server.address() as AddressInfo).port)
    const outcome = await vxmesh(...(await flags(more.map((each) => each.replace('TAKEN', taken)))))
    await new Promise((resolve) => void server.close(resolve))
    expect(outcome).toEqual({ code: 78, out: '', err: err.replaceAll('TAKEN', taken) })
    expect(readdirSync(directory)).toEqual([])
  })

  test('does not touch a file where its socket should be', async () => {
    writeFileSync(join(directory, 'notes'), 'precious')
    const { code, err } = await vxmesh(...(await flags(['--control', join(directory, 'notes')])))
    expect([code, err]).toEqual([
      78,
      'vxmesh: --control notes: notes is there already and is no socket: it is left alone; choose another place\n',
    ])
    expect(readdirSync(directory)).toEqual(['notes'])
    expect(readFileSync(join(directory, 'notes'), 'utf8')).toBe('precious')
  })

  test('lives until it is told to leave, alone on its socket and in its state directory', async () => {
    await vxmesh('init', '--dir', directory)
    const up = await flags(['--invite', join(directory, 'mesh.invite')])
    const life = runCli(up)
    await vi.waitFor(async () => expect((await vxmesh('status')).code).toBe(0), 10_000)

    expect((await vxmesh('status')).out).toBe(
      [
        'NAME     OVERLAY        UNDERLAY       STATE  SEEN  ENTRY  NOTE',
        'bastion  192.168.234.1  192.168.226.4  self   -     -',
        '',
        'provider0 (vxlan id 16, port 4789, mtu 1450): 0 of 0 entries present',
        '',
      ].join('\n'),
    )
    const json = await vxmesh('status', '--json')
    expect(statusAnswer.parse(JSON.parse(json.out)).members.map(({ name }) => name)).toEqual(['bastion'])

    const second = await flags(['--control', join(directory, 'second.sock')])
    expect(await vxmesh(...second)).toEqual({
      code: 75,
      out: '',
      err: 'vxmesh: the state directory state is taken by another daemon (state/lock)\n',
    })
    const third = await flags(['--state-dir', join(directory, 'third')])
    expect((await vxmesh(...third)).err).toBe('vxmesh: the control socket is taken by another daemon (control.sock)\n')

    expect(await vxmesh('leave')).toEqual({
      code: 0,
      out: 'left the mesh; 0 entries removed from provider0\nprovider0 itself stays; remove it with: ip link delete dev provider0\nto come back: "vxmesh up" with the same flags\n',
      err: '',
    })
    expect(await life).toBe(0)
    expect(readdirSync(join(directory, 'state')).toSorted()).toEqual(['identity.key', 'member.json', 'state.json', 'view.json'])
    expect((await vxmesh('status')).code).toBe(3)
  }, 20_000)

  test('revokes whom it is told to, and nobody whom it cannot be sure of', async () => {
    await vxmesh('init', '--dir', directory)
    const life = runCli(await flags(['--invite', join(directory, 'mesh.invite')]))
    await vi.waitFor(async () => expect((await vxmesh('status')).code).toBe(0), 10_000)
    const status = statusAnswer.parse(JSON.parse((await vxmesh('status', '--json')).out))
    const revoke = async (...args: readonly string[]) => vxmesh('revoke', '--dir', directory, ...args)
    const self = 'vxmesh: revoke: that would evict the member whose daemon is to carry it out: name the socket of another with --control\n'
    expect(await revoke('bastion')).toEqual({ code: 2, out: '', err: self })
    expect(await revoke('--invite', status.members[0]?.invite ?? '')).toEqual({ code: 2, out: '', err: self })
    expect((await revoke('nobody')).err).toBe('vxmesh: revoke nobody: no member is called that; see "vxmesh status"\n')
    expect((await revoke()).err).toBe('vxmesh: revoke: name a member, or an invite with --invite\n')
    await vxmesh('init', '--dir', join(directory, 'other'))
    expect(await vxmesh('revoke', status.mesh, '--dir', join(directory, 'other'))).toMatchObject({ code: 78 })
    expect(readdirSync(join(directory, 'state'))).not.toContain('evictions.json')

    // A key that was never heard of is evicted before it comes.
    const key = (await makeIdentity()).peer
    const { out, code, err } = await revoke(key)
    expect([code, err, out.split('\n').slice(0, 1), out.split('\n').slice(-2)]).toEqual([
      0,
      '',
      [`revoked ${key}: it is a member no more`],
      ['enforced by 1 of 1 live members', ''],
    ])
    expect(readdirSync(join(directory, 'state'))).toContain('evictions.json')
    expect((await revoke(key)).code).toBe(0)
    process.emit('SIGTERM', 'SIGTERM')
    expect(await life).toBe(0)
  }, 30_000)

  test('ends at a signal, and leaves no handler for the next', async () => {
    await vxmesh('init', '--dir', directory)
    const life = runCli(await flags(['--invite', join(directory, 'mesh.invite')]))
    await vi.waitFor(async () => expect((await vxmesh('status')).code).toBe(0), 10_000)
    process.emit('SIGTERM', 'SIGTERM')
    expect(await life).toBe(0)
    expect(process.listenerCount('SIGTERM')).toBe(0)
  }, 20_000)
})
