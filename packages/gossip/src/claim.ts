/** The parts of a record that say where a member is. */
import {
  accept,
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
  const id = parseVni(message.id)
  const underlay = parseIp(message.underlay)
  const port = parsePort(message.port)
  const mac = parseMac(message.mac)
  const overlay = all(message.overlay, parseInterfaceAddress)
  const claimedAt = parseWallTime(message.claimedAt)
  if (message.mode !== 'vxlan') return refuse('tunnel of an unknown mode')
  if (!id.ok) return id
  if (!underlay.ok) return underlay
  if (!port.ok) return port
  if (!mac.ok) return mac
  if (!overlay.ok) return overlay
  if (!claimedAt.ok) return claimedAt
  return accept({
    mode: message.mode,
    id: id.value,
    underlay: underlay.value,
    port: port.value,
    mac: mac.value,
    overlay: overlay.value,
    claimedAt: claimedAt.value,
    mtu: message.mtu,
  })
}
