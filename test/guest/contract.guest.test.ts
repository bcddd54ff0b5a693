/** The contract of GRE against the real kernel, and what is left alone by all of it. */
import { parseDeviceName, sure } from '@vxmesh/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DIALECTS } from '../contract/dialects.ts'
import { kernelContract } from '../contract/kernel.contract.ts'
import { inspect, lastingLab } from '../contract/lab.ts'
import { loadGre } from './kinds.ts'

const KERNELS_OWN = ['gre0', 'gretap0', 'erspan0', 'ip6gre0', 'ip6tnl0'].map((name) => sure(parseDeviceName(name)))
let before: readonly unknown[]
let lab: Awaited<ReturnType<typeof lastingLab>>

beforeAll(async () => {
  await loadGre()
  before = await Promise.all(KERNELS_OWN.map(inspect))
  lab = await lastingLab('gre')
})
afterAll(async () => lab.dispose())

kernelContract('the real kernel', async () => lab.again(), 'gre')

test('the devices that the kernel makes of itself in every namespace stay as they are, even where one is asked for', async () => {
  expect(before).not.toContain(undefined)
  const { kernel, close } = await lab.again()
  for (const device of KERNELS_OWN) {
    const established = kernel.establish({ ...DIALECTS.gre.spec, device, id: undefined })
    await expect(established).rejects.toMatchObject({ failure: { code: 'CONFIG_INVALID' } })
  }
  expect(await Promise.all(KERNELS_OWN.map(inspect))).toEqual(before)
  await close()
})
