/**
 * An attacker's program, run in the namespace of a host: a member by a real invite, whose daemon is honest but for one thing,
 * which is where it says that its packets go.
 *
 *     node liar.ts INVITE SEED OWN VICTIM
 *
 * It says VICTIM until it gets SIGUSR1, and OWN, where it really is, from then on.
 */
import { readFileSync } from 'node:fs'
import {
  FIRST_KEY,
  instant,
  parseIncarnation,
  parseInterfaceAddress,
  parseIp,
  parseMac,
  parseMemberName,
  parsePort,
  parseVni,
  sure,
  wallTime,
  type IpAddress,
} from '@vxmesh/core'
import { certifyMember, parseInvite, verifyChain } from '@vxmesh/gossip'
import { envelopeVerifier, makeIdentity, parseIdentity, parseSeed, startMesh } from '@vxmesh/gossip/libp2p'

const [file = '', seed = '', own = '', victim = ''] = process.argv.slice(2)
const { mesh, certificate, privateKey } = sure(parseInvite(envelopeVerifier, readFileSync(file, 'utf8')))
const identity = await makeIdentity()
const inviter = sure(parseIdentity(privateKey))
const trust = { mesh, verifier: envelopeVerifier }
const admission = sure(verifyChain(trust, certifyMember(mesh, inviter, certificate, identity.peer)))

const claim = (underlay: IpAddress) => ({
  mode: 'vxlan' as const,
  id: sure(parseVni(16)),
  underlay,
  port: sure(parsePort(4789)),
  mac: sure(parseMac('02:00:00:00:00:66')),
  overlay: [sure(parseInterfaceAddress('192.168.234.66/23'))],
  claimedAt: wallTime(1),
  mtu: 1450,
  mtuLimit: 1450,
})
const content = (underlay: string) => ({ name: sure(parseMemberName('liar')), enforces: '', tunnels: [claim(sure(parseIp(underlay)))] })
const ignore = () => undefined

const node = await startMesh({
  identity,
  mesh,
  lineage: FIRST_KEY,
  admission,
  listen: [{ address: sure(parseIp(own)), port: sure(parsePort(4788)) }],
  content: content(victim),
  above: sure(parseIncarnation(Date.now())),
  seeds: [sure(parseSeed(seed))],
  seedPort: 4788,
  saved: { records: [], accusations: [], evictions: [] },
  clock: { now: () => instant(performance.now()) },
  random: Math.random,
  wall: () => wallTime(Date.now()),
  listener: {
    ...{ persist: ignore, evict: ignore, succeed: ignore, admitted: ignore, contested: ignore },
    ...{ changed: ignore, member: ignore, dropped: ignore, cloned: ignore, trouble: ignore },
  },
})
process.on('SIGUSR1', () => node.announce(content(own)))
console.log('lies')
