/** Random stories of multipoint GRE, told to the real kernel. */
import { afterAll, beforeAll } from 'vitest'
import { kernelModel } from '../contract/kernel.model.ts'
import { lastingLab } from '../contract/lab.ts'
import { loadGre } from './kinds.ts'

let lab: Awaited<ReturnType<typeof lastingLab>>

beforeAll(async () => {
  await loadGre()
  lab = await lastingLab('gre')
})
afterAll(async () => lab.dispose())

kernelModel('the real kernel', async () => lab.again(), 5, 'gre')
kernelModel('the real kernel', async () => lab.again(), 5, 'gre over IPv6')
