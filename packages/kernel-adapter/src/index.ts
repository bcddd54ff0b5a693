export { missingCapability } from './capabilities.ts'
export { MemoryHost, memoryKernel, type MemoryAddress, type PlantedLink } from './memory.ts'
export { describe, describeTarget } from './render.ts'
export { iproute2Kernel } from './vxlan.ts'
