/**
 * What every kernel must do, the real one and the fake alike: a fake that is kinder than the kernel is a lie.
 * A test reads as: a host with an underlay, something a person did to it by hand, what vxmesh then does.
 */
import type { Mode } from '@vxmesh/core'
import { beforeEach, describe } from 'vitest'
import { DIALECTS } from './dialects.ts'
import { adopting, making, readdressing, refusing } from './devices.contract.ts'
import { neighbours, neighbourTraps, ports, traps, writing } from './entries.contract.ts'
import { greContract } from './gre.contract.ts'
import type { Lab } from './setting.ts'
import { watching, watchingBridges } from './watching.contract.ts'

/** Runs the contract against kernels of one make. `make` is asked for a fresh host before every test. */
export function kernelContract(name: string, make: () => Promise<Lab>, mode: Mode = 'vxlan'): void {
  const dialect = DIALECTS[mode]
  describe(`${name} keeps the contract of ${mode}: it`, () => {
    let lab: Lab
    // Cleared away only by the host that was made: where `make` refuses, nothing may be touched.
    beforeEach(async () => {
      lab = await make()
      return lab.close
    })
    const here = () => lab
    describe('makes a device', () => {
      making(here, dialect)
    })
    describe('takes the device that is there', () => {
      adopting(here, dialect)
    })
    describe('changes the addresses of a device', () => {
      readdressing(here, dialect)
    })
    describe('leaves a device that cannot serve untouched', () => {
      refusing(here, dialect)
    })
    describe('writes entries', () => {
      writing(here, dialect)
    })
    describe('sees what others do', () => {
      watching(here, dialect)
    })
    const own = { vxlan: vxlanAlone, gre: greContract }
    own[mode](here)
  })
}

function vxlanAlone(lab: () => Lab): void {
  describe('writes entries to ports', () => {
    ports(lab)
  })
  describe('writes neighbours', () => {
    neighbours(lab)
  })
  describe('shows the traps of the kernel', () => {
    traps(lab)
  })
  describe('shows the traps of neighbours', () => {
    neighbourTraps(lab)
  })
  describe('sees what others do', () => {
    watchingBridges(lab)
  })
}
