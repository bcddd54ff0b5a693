import { MemoryHost, memoryKernel, type PlantedLink } from '@vxmesh/kernel-adapter'
import { kernelContract } from './kernel.contract.ts'
import { kernelModel } from './kernel.model.ts'
import { NARROW, OTHER, port, UNDERLAY, UNDERLAY_6, type ByHand, type Lab } from './setting.ts'

kernelContract('the fake kernel', makeLab)
kernelContract('the fake kernel', makeLab, 'gre')
kernelModel('the fake kernel', makeLab, 500)
kernelModel('the fake kernel', makeLab, 150, 'gre')
kernelModel('the fake kernel', makeLab, 150, 'gre over IPv6')

async function makeLab(): Promise<Lab> {
  const host = new MemoryHost({
    addresses: [
      { address: UNDERLAY, interface: 'under0', mtu: 1500 },
      { address: OTHER, interface: 'under0', mtu: 1500 },
      { address: UNDERLAY_6, interface: 'under0', mtu: 1500 },
      { address: NARROW, interface: 'under1', mtu: 1400 },
    ],
  })
  return {
    kernel: memoryKernel(host),
    plant: async (device, link) => host.plant(device, planted(link)),
    write: async (device, entry) => succeed(host.write(device, entry)),
    erase: async (device, entry) => void host.erase(device, entry),
    readdress: async (device, mac) => host.readdress(device, mac),
    ask: async (device) => host.ask(device),
    bridge: async (name, there) => host.bridge(name, there),
    enslave: async (device, master) => host.alter(device, { master }),
    wipe: async (device) => succeed(host.remove(device)),
    give: async (device, address) => succeed(host.give(device, address)),
    deleteDevice: async (device) => host.deleteDevice(device),
    takeDown: async (device) => host.takeDown(device),
    isUp: async (device) => {
      const link = host.inspect(device)?.link
      return link !== undefined && 'up' in link && link.up
    },
    inspect: async (device) => host.inspect(device),
    refuse: async (count) => host.refuseWrites(count),
    close: async () => {},
  }
}

function planted(link: ByHand): PlantedLink {
  if (link.kind === 'bridge') return { kind: 'other', what: 'bridge' }
  return link.kind === 'vxlan' ? { ...link, port: port(8472) } : link
}

function succeed(complaint: string | undefined): void {
  if (complaint !== undefined) throw new Error(complaint)
}
