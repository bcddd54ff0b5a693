import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { accept, parseIp, parsePeerId, parsePort, refuse, type Result } from '@vxmesh/core'
import type { Seed } from '../state.ts'

/** A seed as the user wrote it: `HOST`, `HOST:PORT`, `[IPv6]:PORT` or a multiaddr with tcp. Names are resolved at every dial. */
export function parseSeed(text: string): Result<Seed> {
  if (parsePeerId(text).ok) return refuse('a peer id alone says nothing about where it is: give an address')
  if (text.startsWith('/')) return isDialable(text) ? accept(text as Seed) : refuse('not a multiaddr with tcp, as /ip4/192.0.2.1/tcp/4788')
  const place = splitHost(text)
  if (place === undefined) return refuse('not HOST, HOST:PORT or a multiaddr')
  const port = place.port === undefined ? accept(undefined) : parsePort(place.port)
  return port.ok ? accept(text as Seed) : port
}

function isDialable(text: string): boolean {
  const [, kind = '', host = '', port = '', peer] =
    /^\/(ip4|ip6|dns|dns4|dns6)\/([^/]+)\/tcp\/([0-9]+)(?:\/p2p\/([^/]+))?$/.exec(text) ?? []
  const named = kind.startsWith('dns') ? isName(host) : parseIp(host).ok && isIP(host) === (kind === 'ip4' ? 4 : 6)
  return named && parsePort(port).ok && (peer === undefined || parsePeerId(peer).ok)
}

type Place = { readonly host: string; readonly port: string | undefined }

function splitHost(text: string): Place | undefined {
  if (parseIp(text).ok) return { host: text, port: undefined }
  const bracketed = /^\[([0-9a-fA-F:.]+)\](?::([0-9]+))?$/.exec(text)
  if (bracketed !== null) return isIP(bracketed[1]!) === 6 ? { host: bracketed[1]!, port: bracketed[2] } : undefined
  const [, host = '', port] = /^([^:]+)(?::([0-9]+))?$/.exec(text) ?? []
  return isIP(host) === 4 || isName(host) ? { host, port } : undefined
}

/** Four numbers with dots that are no address are a mistyped address, not a name. */
function isName(host: string): boolean {
  return /^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?$/.test(host) && !/^[0-9.]+$/.test(host)
}

/** Where a seed leads now: every address its name has. Empty when it has none, which is a failed dial like any other. */
export async function seedAddresses(seed: Seed, defaultPort: number): Promise<readonly Multiaddr[]> {
  const [, kind = '', host = '', port = '', rest = ''] = /^\/(dns[46]?)\/([^/]+)\/tcp\/([0-9]+)(.*)$/.exec(seed) ?? []
  if (kind !== '') return resolved(host, kind === 'dns' ? 0 : kind === 'dns4' ? 4 : 6, `/tcp/${port}${rest}`)
  if (seed.startsWith('/')) return [multiaddr(seed)]
  const place = splitHost(seed)
  return place === undefined ? [] : resolved(place.host, 0, `/tcp/${place.port ?? String(defaultPort)}`)
}

/** @param family 4 or 6, or 0 for both */
async function resolved(host: string, family: 0 | 4 | 6, rest: string): Promise<readonly Multiaddr[]> {
  try {
    const found = await lookup(host, { all: true, family })
    // An address with a zone is of no use to others, and there may be better ones beside it.
    return found.flatMap((each) => (parseIp(each.address).ok ? multiaddr(`/ip${String(each.family)}/${each.address}${rest}`) : []))
  } catch {
    return []
  }
}
