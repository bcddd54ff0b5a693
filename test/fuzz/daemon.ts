/** The parsers of what a daemon finds in its files, and of what it is asked on its socket. */
import { MeshError, parsePeerId, sure, wallTime, type DeviceName, type Lineage } from '@vxmesh/core'
import { openEviction, openReissue } from '@vxmesh/gossip'
import { envelopeVerifier } from '@vxmesh/gossip/libp2p'
import { lineageFrom } from '../../packages/daemon/src/succeeding.ts'
import { leaveReport, type EvictionReport, type StatusReport } from '../../packages/daemon/src/answers.ts'
import { readConfig } from '../../packages/daemon/src/config.ts'
import { controlServer } from '../../packages/daemon/src/control.ts'
import { membershipIn, renewedBy } from '../../packages/daemon/src/identity.ts'
import { openStore } from '../../packages/daemon/src/store.ts'
import { bytesOf, textOf, type Input } from './inputs.ts'
import { answered, corpus, Wrong, type Target } from './target.ts'
import { sample } from './wire.ts'

/** Line breaks, and what else a terminal would obey or be fooled by. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\u2028\u2029]/u

/** What is wrong with a file is said in one line. */
function isConfig(input: Input): boolean {
  try {
    readConfig('/etc/vxmesh.yaml', {}, () => textOf(input))
    return true
  } catch (error) {
    if (!(error instanceof MeshError)) throw error
    if (UNPRINTABLE.test(error.message)) throw new Wrong(`a complaint that is no plain line: ${JSON.stringify(error.message)}`)
    return false
  }
}

const DEVICE = 'provider0'
const NOWHERE = '/nowhere'

/** Whatever is in its files, a store opens, says what it has, and goes on. */
function isState(input: Input): boolean {
  let troubles = 0
  const store = openStore(
    NOWHERE,
    () => {
      troubles += 1
    },
    () => {},
    () => input,
  )
  const device = deviceNamed(DEVICE)
  store.claimedAt('vxlan 16', store.given(device), wallTime(1))
  store.take(device, { mode: 'vxlan', id: undefined })
  for (const each of store.written(device)) if (typeof each !== 'string') throw new Wrong('a slot that is no text')
  if (!(store.highestIncarnation(wallTime(5)) >= 5)) throw new Wrong('an incarnation below the clock')
  for (const bytes of store.saved.evictions) openEviction({ mesh: sample.mesh, verifier: envelopeVerifier }, bytes)
  // Each of the three files may be set aside, and there is none that could be.
  return troubles < 6
}

function deviceNamed(text: string): DeviceName {
  const isDevice = (each: string): each is DeviceName => each === text
  if (!isDevice(text)) throw new Error('no device')
  return text
}

const inText = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const CERTIFICATE = {
  version: 1,
  mesh: sample.mesh,
  chain: inText(sample.chain),
  seeds: ['192.168.226.4'],
  successions: sample.successions.map(inText),
}

async function isMembership(input: Input): Promise<boolean> {
  return answered(() => {
    const { admission, mesh } = membershipIn(sample.member, NOWHERE, input, undefined)
    if (mesh !== sample.mesh || admission.peer !== sample.member.peer) throw new Wrong('a membership that nobody gave')
  })
}

const STATUS: StatusReport = {
  version: 1,
  mesh: sample.mesh,
  self: { peer: sample.member.peer, name: 'a', incarnation: 1 },
  members: [],
  tunnels: [],
  rotation: null,
  health: [],
  dropped: {},
  anti_entropy: { comparisons: 0, bytes: 0 },
  event_loop_lag: null,
  discovery: { interfaces: [], candidates: 0, dials: 0 },
}
const EVICTIONS: EvictionReport = { version: 1, evictions: 0, living: 1, enforcing: 1, waiting: [] }

const ROTATION = {
  version: 1,
  mesh: sample.mesh,
  key: sample.mesh,
  successions: [],
  until: null,
  living: 1,
  under: 1,
  waiting: [],
} as const

function taken(successions: readonly string[]): Lineage {
  const lineage = lineageFrom(sample.mesh, successions)
  if (!lineage.ok) throw new MeshError({ code: 'USAGE', reason: `join: ${lineage.reason}` })
  return lineage.value
}

const control = controlServer(() => ({
  status: async () => STATUS,
  leave: async () => leaveReport([]),
  plan: async () => ({ version: 1, device: DEVICE, devices: [DEVICE], commands: [], hold: null }),
  evictions: () => EVICTIONS,
  evict: (eviction) => {
    const opened = openEviction({ mesh: sample.mesh, verifier: envelopeVerifier }, eviction)
    if (!opened.ok) throw new MeshError({ code: 'CONFIG_INVALID', where: 'the eviction', reason: opened.reason })
    sure(parsePeerId(opened.value.key))
    return EVICTIONS
  },
  rotation: () => ROTATION,
  certificates: () => ({ version: 1, members: [] }),
  rotate: (successions, reissues) => {
    const trust = { mesh: sample.mesh, verifier: envelopeVerifier, lineage: taken(successions) }
    for (const bytes of reissues) if (!openReissue(trust, bytes).ok) throw new MeshError({ code: 'USAGE', reason: 'join: not made anew' })
    return ROTATION
  },
  renew: (chain, seeds, successions) => {
    const { admission } = renewedBy({ identity: sample.member, mesh: sample.mesh, lineage: taken(successions) }, chain, seeds)
    if (admission.peer !== sample.member.peer) throw new Wrong('a membership of somebody else')
    return { version: 1, invite: admission.invite, expires: null }
  },
}))

/** What fastify may answer: done, or that the request was wrong, or why the mesh did not do it; nothing else, and in JSON. */
async function isRequest(input: Input): Promise<boolean> {
  const [head = '', ...lines] = textOf(input).split('\n')
  const [method = '', url = ''] = head.split(' ')
  const body = lines.join('\n')
  const { statusCode, payload } = await control.inject({
    method: METHODS.find((each) => each === method) ?? 'POST',
    url: { pathname: url.startsWith('/') ? url : `/${url}` },
    headers: { 'content-type': head.split(' ')[2] ?? 'application/json' },
    ...(body === '' ? {} : { payload: body }),
  })
  if (statusCode >= 500 && !/the eviction: |join: /.test(payload)) throw new Wrong(`${String(statusCode)}: ${payload}`)
  if (method !== 'HEAD' && method !== 'OPTIONS') JSON.parse(payload)
  return statusCode === 200
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH'] as const

export const daemonTargets: readonly Target[] = [
  { name: 'config', says: 'the file of --config', form: 'text', samples: corpus('config'), check: isConfig },
  {
    name: 'state',
    says: 'the files of the state directory',
    form: 'json',
    samples: [
      ...corpus('state'),
      bytesOf(
        JSON.stringify({
          version: 1,
          records: sample.records.map((each) => Buffer.from(each).toString('base64')),
          accusations: sample.accusations.map((each) => Buffer.from(each).toString('base64')),
        }),
      ),
    ],
    check: isState,
  },
  {
    name: 'membership',
    says: 'what admits a host, as it stands in its state directory',
    form: 'json',
    samples: [bytesOf(JSON.stringify(CERTIFICATE))],
    check: isMembership,
  },
  { name: 'control', says: 'requests on the control socket', form: 'text', samples: corpus('control'), check: isRequest },
]
