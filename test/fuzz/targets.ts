/**
 * Every parser of bytes that come from outside, each with samples of what it takes, and with what must hold whatever it is
 * given: it accepts or refuses, throws nothing but `MeshError`, and what it accepted means the same when it is written again.
 */
import {
  parseDeviceName,
  parseGreKey,
  parseInterfaceAddress,
  parseIp,
  parseMac,
  parseMemberName,
  parseMtu,
  parsePeerId,
  parsePort,
  parseVni,
  sure,
  type DeviceName,
  type InterfaceAddress,
  type Result,
} from '@vxmesh/core'
import { parseSeed } from '@vxmesh/gossip/libp2p'
import { parseUnreachable, parseRoutes } from '../../packages/kernel-adapter/src/gre.ts'
import { parseHost } from '../../packages/kernel-adapter/src/host.ts'
import { mayConcern } from '../../packages/kernel-adapter/src/monitor.ts'
import { parseAddresses, parseEntries, parseIndex, parseLink, parseNeighbours } from '../../packages/kernel-adapter/src/read.ts'
import { daemonTargets } from './daemon.ts'
import { textOf, type Input } from './inputs.ts'
import { corpus, same, Wrong, type Target } from './target.ts'
import { wireTargets } from './wire.ts'

/** What a parser of one value makes of a text; what it accepts it must accept again, as the same. */
function value<Value extends string | number>(parse: (text: string) => Result<Value>): (text: string) => boolean {
  return (text) => {
    const parsed = parse(text)
    if (!parsed.ok) return false
    same('a value read again', parse(String(parsed.value)), parsed)
    return true
  }
}

const VALUES = [
  parseIp,
  parseInterfaceAddress,
  parseMac,
  parsePeerId,
  parseMemberName,
  parseDeviceName,
  parseVni,
  parseGreKey,
  parsePort,
  parseMtu,
  parseSeed,
].map((parse) => value<string | number>(parse))

const DEVICE: DeviceName = sure(parseDeviceName('provider0'))
const NETWORKS: readonly InterfaceAddress[] = ['192.168.234.0/24', '192.168.234.1/23', 'fd00:234::/64'].map((text) =>
  sure(parseInterfaceAddress(text)),
)
const LINK = corpus('iproute2')
  .map((text) => parseLink(textOf(text)))
  .flatMap((link) => (link.ok && link.value.kind === 'vxlan' ? link.value : []))[0]

/** Whatever `ip` and `bridge` print, each of their readers may be given it: a tool that is replaced may print anything. */
function kernelOutput(input: Input): boolean {
  const text = textOf(input)
  if (LINK === undefined) throw new Error('the corpus has no VXLAN device')
  const answers = [
    parseLink(text),
    parseAddresses(text),
    parseEntries(text, LINK),
    parseNeighbours(text),
    parseNeighbours(text, 'gre'),
    parseRoutes(text, NETWORKS),
    parseUnreachable(text, NETWORKS),
    parseHost(text),
  ]
  for (const answer of answers) if (!answer.ok && typeof answer.reason !== 'string') throw new Wrong('a refusal without a reason')
  const index = parseIndex(text, DEVICE)
  return index !== undefined || answers.some(({ ok }) => ok)
}

export const targets: readonly Target[] = [
  ...wireTargets,
  ...daemonTargets,
  {
    name: 'values',
    says: 'addresses, names, ids, ports, seeds: as typed, and as told by others',
    form: 'text',
    samples: corpus('values'),
    check: (input) => VALUES.map((parse) => parse(textOf(input))).includes(true),
  },
  { name: 'iproute2', says: 'what ip and bridge print as JSON', form: 'json', samples: corpus('iproute2'), check: kernelOutput },
  {
    name: 'monitor',
    says: 'the lines of ip monitor and bridge monitor',
    form: 'text',
    samples: corpus('monitor'),
    check: (input) => mayConcern(textOf(input), DEVICE),
  },
]
