/** What every kernel must tell of what others do: a part of the contract, and told as that. */
import { expect, test } from 'vitest'
import type { Dialect } from './dialects.ts'
import { br0, br1, HOST_00, HOST_01, neighbour, provider0, SPEC, UNDERLAY, vni, type Lab } from './setting.ts'

export function watching(lab: () => Lab, { spec, to }: Dialect): void {
  test('wakes at a foreign entry, and no more once closed', async () => {
    await lab().kernel.establish(spec)
    let wakes = 0
    const watch = lab().kernel.watch(provider0, () => void wakes++)
    // A monitor says nothing of when it began to listen, so the change is made until it is heard.
    await expect
      .poll(
        async () => {
          await lab().write(provider0, to(HOST_00))
          await lab().erase(provider0, to(HOST_00))
          return wakes
        },
        { timeout: 5000 },
      )
      .toBeGreaterThan(0)
    await watch.close()
    const heard = wakes
    await lab().write(provider0, to(HOST_01))
    expect(wakes).toBe(heard)
  })

  test('wakes when the device comes and goes, though it has no entries', async () => {
    let wakes = 0
    const watch = lab().kernel.watch(provider0, () => void wakes++)
    await expect
      .poll(
        async () => {
          await lab().kernel.establish(spec)
          await lab().deleteDevice(provider0)
          return wakes
        },
        { timeout: 5000 },
      )
      .toBeGreaterThan(0)
    await watch.close()
  })
}

export function watchingBridges(lab: () => Lab): void {
  test('wakes at a foreign neighbour', async () => {
    await lab().kernel.establish(SPEC)
    let wakes = 0
    const watch = lab().kernel.watch(provider0, () => void wakes++)
    let number = 0
    await expect
      .poll(
        async () => {
          await lab().write(provider0, neighbour('192.168.234.2', ++number % 10))
          return wakes
        },
        { timeout: 5000 },
      )
      .toBeGreaterThan(0)
    await watch.close()
  })

  test('sees that the device became a port of a bridge, and that it is none any more', async () => {
    await lab().kernel.establish(SPEC)
    const seen = async () => (await lab().kernel.read(SPEC))?.device.master
    await lab().bridge(br0, true)
    await lab().enslave(provider0, br0)
    expect(await seen()).toBe('br0')
    await lab().bridge(br0, false)
    expect(await seen()).toBeUndefined()
  })

  test.each(['made', 'adopted'] as const)('puts a device that is %s into its bridge, whatever bridge it was in', async (origin) => {
    const asked = { ...SPEC, master: br0 }
    const planted = origin === 'made' ? [] : [{ kind: 'vxlan', id: vni(16), local: UNDERLAY } as const]
    for (const link of planted) await lab().plant(provider0, link)
    await expect(lab().kernel.establish(asked)).rejects.toThrow('there is no bridge br0; make it first (ip link add name br0 type bridge)')
    expect([await lab().kernel.hasBridge(br0), (await lab().kernel.read(SPEC)) === undefined]).toEqual([false, origin === 'made'])
    await lab().bridge(br0, true)
    expect(await lab().kernel.hasBridge(br0)).toBe(true)
    expect(await lab().kernel.establish(asked)).toMatchObject({ master: 'br0', origin })
    expect(await lab().kernel.steps(asked)).toEqual([])
    await lab().bridge(br1, true)
    await lab().enslave(provider0, br1)
    expect(await lab().kernel.steps(asked)).toEqual(['ip link set dev provider0 master br0'])
    expect(await lab().kernel.establish(asked)).toMatchObject({ master: 'br0' })
    expect(await lab().kernel.establish(SPEC)).toMatchObject({ master: 'br0' })
  })
}
