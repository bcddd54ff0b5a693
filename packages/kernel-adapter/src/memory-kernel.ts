/** The kernel in memory in the place of the real one. */
import type { Kernel } from '@vxmesh/core'
import type { MemoryHost } from './memory.ts'
import { stepCommand, words } from './render.ts'

/** The kernel of a host, as a promise-making port. */
export function memoryKernel(host: MemoryHost): Kernel {
  return {
    establish: async (spec, given) => host.establishNow(spec, given),
    steps: async (spec) => host.stepsNow(spec).map((step) => words(stepCommand(spec, step))),
    interfaces: async (without) => host.interfacesNow(without),
    hasBridge: async (name) => host.bridges.has(name),
    read: async (spec) => host.readNow(spec),
    left: async (spec) => host.leftNow(spec),
    attempt: async (device, operations) => host.attemptNow(device, operations),
    watch: (_device, wake) => {
      const unsubscribe = host.onChange(wake)
      return { close: async () => unsubscribe() }
    },
  }
}
