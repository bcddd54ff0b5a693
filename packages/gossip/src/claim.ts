/** The parts of a record that say where a member is. */
import {
  accept,
  parseGreKey,
  parseInterfaceAddress,
  parseIp,
  parseMac,
  parsePort,
  parseVni,
  parseWallTime,
  refuse,
  type ControlAddress,
  type Result,
  type TunnelClaim,
  type TunnelName,
  type Port,
  ZERO_MAC,
} from '@vxmesh/core'
import { all } from './decode.ts'
import type { Record as RecordMessage } from './wire.js'

export function parseControlAddress(message: RecordMessage['control'][number]): Result<ControlAddress> {
  const address = parseIp(message.address)
  const port = parsePort(message.port)
  if (!address.ok) return address
  return port.ok ? accept({ address: address.value, port: port.value }) : port
}

export function parseTunnelClaim(message: RecordMessage['tunnels'][number]): Result<TunnelClaim> {
  const tunnel = parseTunnel(message)
  const underlay = parseIp(message.underlay)
  const mac = message.mode === 'gre' ? accept(ZERO_MAC) : parseMac(message.mac)
  const overlay = all(message.overlay, parseInterfaceAddress)
  const claimedAt = parseWallTime(message.claimedAt)
  if (!tunnel.ok) return tunnel
  if (!underlay.ok) return underlay
  if (!mac.ok) return mac
  if (!overlay.ok) return overlay
  if (!claimedAt.ok) return claimedAt
  return accept({
    ...tunnel.value,
    underlay: underlay.value,
    mac: mac.value,
    overlay: overlay.value,
    claimedAt: claimedAt.value,
    mtu: message.mtu,
    mtuLimit: message.mtuLimit || message.mtu,
  })
}

function parseTunnel({ mode, id, key, port }: RecordMessage['tunnels'][number]): Result<TunnelName & { readonly port: Port | undefined }> {
  if (mode === 'gre') {
    const parsed = key === undefined ? accept(undefined) : parseGreKey(key)
    return parsed.ok ? accept({ mode, id: parsed.value, port: undefined }) : parsed
  }
  if (mode !== 'vxlan') return refuse('tunnel of an unknown mode')
  const [vni, udp] = [parseVni(id), parsePort(port)]
  if (!vni.ok) return vni
  return udp.ok ? accept({ mode, id: vni.value, port: udp.value }) : udp
}

/** The claim as the wire has it. */
export function tunnelMessage({ mode, id, port, mac, ...claim }: TunnelClaim): RecordMessage['tunnels'][number] {
  const rest = { ...claim, overlay: [...claim.overlay], claimedAt: BigInt(claim.claimedAt) }
  if (mode === 'gre') return { mode, id: 0, port: 0, mac: '', ...(id === undefined ? {} : { key: id }), ...rest }
  return { mode, id: id ?? 0, port: port ?? 0, mac, ...rest }
}
