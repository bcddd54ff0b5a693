import { mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { MeshError } from '@vxmesh/core'
import {
  evictionAnswer,
  leaveAnswer,
  leaveReport,
  statusAnswer,
  type EvictionReport,
  type LeaveReport,
  type PlanReport,
  type StatusReport,
} from './answers.ts'
import { ask } from './client.ts'
import { openControl, type Control } from './control.ts'

const STATUS: StatusReport = {
  version: 1,
  mesh: 'M',
  self: { peer: 'A', name: 'a', incarnation: 1 },
  members: [],
  tunnels: [],
  rotation: null,
  health: [],
  dropped: { 'malformed frame': 2 },
  anti_entropy: { comparisons: 3, bytes: 277 },
  event_loop_lag: null,
  discovery: { interfaces: [], candidates: 0, dials: 0 },
}
const PLAN: PlanReport = { version: 1, device: 'provider0', devices: ['provider0'], commands: [], hold: null }
const EVICTIONS: EvictionReport = { version: 1, evictions: 1, living: 3, enforcing: 2, waiting: [{ name: 'a', peer: 'A', state: 'alive' }] }
const ROTATION = { version: 1, mesh: 'M', key: 'M', successions: [], until: null, living: 1, under: 1, waiting: [] } as const
const RENEWED = { version: 1, invite: 'I', expires: null } as const
const LEFT = leaveReport([{ device: 'provider0', removed: 2 }])

let directory = ''
let path = ''
const open: Control[] = []
const servers: Server[] = []
const clients: Socket[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vxmesh-control-'))
  path = join(directory, 'control.sock')
})

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  for (const control of open.splice(0)) await control.close()
  for (const server of servers.splice(0)) await new Promise((resolve) => void server.close(resolve))
  rmSync(directory, { recursive: true })
})

async function start(): Promise<Control> {
  const control = await openControl(path)
  open.push(control)
  return control
}

function serving(parts: { readonly status?: () => Promise<StatusReport>; readonly leave?: () => Promise<LeaveReport> } = {}) {
  return {
    status: async () => STATUS,
    leave: async () => LEFT,
    evictions: () => EVICTIONS,
    evict: () => EVICTIONS,
    renew: () => RENEWED,
    rotation: () => ROTATION,
    certificates: () => ({ version: 1 as const, members: [] }),
    rotate: () => ROTATION,
    plan: async () => PLAN,
    ...parts,
  }
}

/** Why there is no answer, with the temporary directory left out. */
async function refusal(at = path): Promise<string> {
  try {
    await ask(at, 'GET', '/v1/status', statusAnswer)
  } catch (error) {
    if (error instanceof MeshError && ['NO_DAEMON', 'UNFINISHED'].includes(error.failure.code))
      return error.message.replaceAll(`${directory}/`, '')
    throw error
  }
  return 'answered'
}

/** Something else that listens there. */
async function impostor(answer: string): Promise<void> {
  const server = createServer((socket) => socket.on('error', () => {}).once('data', () => socket.end(answer)))
  servers.push(server)
  await new Promise<void>((resolve) => void server.listen(path, resolve))
}

/** What curl would get. */
async function curl(method: string, url: string, body = '', socketPath = path): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = body === '' ? {} : { 'content-type': 'application/json' }
    const outgoing = request({ socketPath, method, path: url, headers, agent: false }, (incoming) => {
      resolve(text(incoming).then((answer) => `${String(incoming.statusCode)} ${answer}`))
    })
    outgoing.once('error', reject)
    outgoing.end(body)
  })
}

describe('a daemon that serves', () => {
  test('answers what status and leave ask for', async () => {
    const control = await start()
    control.serve(serving())
    expect(await ask(path, 'GET', '/v1/status', statusAnswer)).toEqual(STATUS)
    expect(await ask(path, 'POST', '/v1/leave', leaveAnswer)).toEqual(LEFT)
    expect(await ask(path, 'GET', '/v1/evictions', evictionAnswer)).toEqual(EVICTIONS)
    expect(await ask(path, 'POST', '/v1/evict', evictionAnswer, { eviction: 'AAAA' })).toEqual(EVICTIONS)
  })

  test('does what only its owner may ask for, and tells the group of the directory how it is', async () => {
    const control = await start()
    control.serve(serving())
    const modes = ['control.sock', 'status.sock'].map((name) => statSync(join(directory, name)))
    expect(modes.map(({ mode, gid }) => [(mode & 0o777).toString(8), gid])).toEqual([
      ['600', process.getgid?.()],
      ['660', statSync(directory).gid],
    ])
    const status = join(directory, 'status.sock')
    expect(await curl('GET', '/v1/status', '', status)).toMatch(/^200 /)
    expect(await curl('GET', '/v1/plan', '', status)).toMatch(/^200 /)
    expect(await curl('GET', '/metrics', '', status)).toMatch(/^200 # HELP vxmesh_members [^\n]*\n# TYPE vxmesh_members gauge\n/)
    expect(await curl('POST', '/v1/leave', '', status)).toMatch(/^404 /)
    expect(await curl('POST', '/v1/evict', '{"eviction":"AAAA"}', status)).toMatch(/^404 /)
  })

  test('is asked at the status socket where that is, and else at the other', async () => {
    const control = await start()
    control.serve(serving())
    renameSync(path, `${path}.away`)
    expect(await refusal()).toBe('answered')
    renameSync(`${path}.away`, path)
    rmSync(join(directory, 'status.sock'))
    expect(await refusal()).toBe('answered')
  })

  test('answers as many at once as may be connected', async () => {
    const control = await start()
    control.serve(serving())
    const answers = await Promise.all(Array.from({ length: 16 }, async () => ask(path, 'GET', '/v1/status', statusAnswer)))
    expect(answers).toEqual(Array.from({ length: 16 }, () => STATUS))
  })

  test('is kept from its owner by nobody, and from the group not for long: who says nothing is hung up on', async () => {
    const control = await start()
    control.serve(serving())
    for (let count = 0; count < 16; count++) clients.push(connect(join(directory, 'status.sock')).on('error', () => {}))
    await vi.waitFor(async () => expect(await refusal()).toMatch(/it hung up: too many may be asking it; try again$/))
    expect(await ask(path, 'POST', '/v1/leave', leaveAnswer)).toEqual(LEFT)
    await vi.waitFor(async () => expect(await refusal()).toBe('answered'), 40_000)
  })

  test('that fails at it says why, and goes on', async () => {
    const control = await start()
    const fail = async (): Promise<never> => {
      throw new MeshError({ code: 'KERNEL_UNREADABLE', what: 'bridge fdb show', reason: 'Dump terminated' })
    }
    control.serve(serving({ status: fail }))
    expect(await refusal()).toBe('cannot read bridge fdb show: Dump terminated')
    expect(await ask(path, 'POST', '/v1/leave', leaveAnswer)).toEqual(LEFT)
  })

  test.each([
    ['another path', 'GET', '/v2/status', '', '404'],
    ['leave by a mere look at it', 'GET', '/v1/leave', '', '404'],
    ['more than it wants to hear', 'POST', '/v1/leave', JSON.stringify('x'.repeat(5000)), '413'],
    ['more than certificates take', 'POST', '/v1/renew', JSON.stringify('x'.repeat(20_000)), '413'],
    ['half of something', 'POST', '/v1/leave', '{', '400'],
    ['an eviction that is none', 'POST', '/v1/evict', '{"eviction":7}', '400'],
  ])('asked for %s refuses', async (_name, method, url, body, status) => {
    const control = await start()
    let left = 0
    control.serve(serving({ leave: async () => ({ ...LEFT, removed: ++left }) }))
    expect(await curl(method, url, body)).toMatch(new RegExp(`^${status} `))
    expect(left).toBe(0)
  })
})

describe('no daemon answers', () => {
  test('where there is no socket', async () => {
    expect(await refusal()).toBe(
      'no daemon answers at control.sock: there is no such socket; start one with "vxmesh up", or name its socket with --control',
    )
  })

  test('where there is no directory', async () => {
    expect(await refusal(join(directory, 'absent', 'control.sock'))).toBe(
      'no daemon answers at absent/control.sock: there is no such socket; start one with "vxmesh up", or name its socket with --control',
    )
  })

  test('below a file', async () => {
    writeFileSync(path, '')
    expect(await refusal(join(path, 'socket'))).toBe(
      'no daemon answers at control.sock/socket: what is above it is no directory; name the socket of a daemon with --control',
    )
  })

  test('on a file that is no socket', async () => {
    writeFileSync(path, '')
    expect(await refusal()).toBe('no daemon answers at control.sock: that is no socket; name that of a daemon with --control')
  })

  test('on a socket that somebody left behind', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => void server.listen(`${path}.dying`, resolve))
    renameSync(`${path}.dying`, path)
    await new Promise((resolve) => void server.close(resolve))
    expect(await refusal()).toBe('no daemon answers at control.sock: nobody listens on that socket any more')
  })

  test('at a name that no socket can have', async () => {
    expect(await refusal(join(directory, 'x'.repeat(150)))).toMatch(
      /: the name is too long for a socket; name that of a daemon with --control$/,
    )
  })

  test('while it starts, which it says', async () => {
    await start()
    expect(await refusal()).toBe('no daemon answers at control.sock: the daemon is starting')
  })

  test.each([
    ['hangs up', '', 'it hung up: too many may be asking it; try again'],
    ['speaks no HTTP', 'SSH-2.0-OpenSSH\r\n', 'Parse Error: Expected HTTP/, RTSP/ or ICE/'],
    ['speaks no JSON', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi', 'what answers there is no daemon'],
    ['is of another version', 'HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{"version":2}', 'what answers there is of another version'],
    ['refuses without a reason', 'HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\n{}', 'what answers there is of another version'],
  ])('where what listens %s', async (_name, answer, reason) => {
    await impostor(answer)
    expect(await refusal()).toBe(`no daemon answers at control.sock: ${reason}`)
  })

  test('once it is closed, and nothing lies about', async () => {
    await (await start()).close()
    open.length = 0
    expect(await refusal()).toMatch(/there is no such socket/)
    expect(readdirSync(directory)).toEqual([])
  })
})

test('a second daemon on the same socket is refused, and the first answers on', async () => {
  const control = await start()
  control.serve(serving())
  await expect(openControl(path)).rejects.toThrow(`the control socket is taken by another daemon (${path})`)
  expect(await refusal()).toBe('answered')
})

test('a daemon whose socket has a path that is too long for one is reached all the same', async () => {
  path = join(directory, 'x'.repeat(80), 'y'.repeat(80), 'control.sock')
  const control = await start()
  control.serve(serving())
  expect(await refusal()).toBe('answered')
})
