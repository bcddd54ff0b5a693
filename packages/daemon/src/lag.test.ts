import { milliseconds } from '@vxmesh/core'
import { expect, test, vi } from 'vitest'
import { watchLag } from './lag.ts'

test('how late it gets to its work is told once a window is over, and of that one alone', async () => {
  using lag = watchLag(milliseconds(200))
  expect(lag.report()).toBeNull()
  const busy = (): void => {
    const end = performance.now() + 60
    while (performance.now() < end);
    expect(lag.report()?.p50_ms).toBeGreaterThan(20)
  }
  await vi.waitFor(busy, { timeout: 10_000, interval: 5 })
  await vi.waitFor(() => expect(lag.report()?.p50_ms).toBeLessThan(20), 10_000)
  const { p50_ms: half = 0, p99_ms: most = 0, max_ms: longest = 0 } = lag.report() ?? {}
  expect([half, most, longest]).toEqual([half, most, longest].toSorted((one, other) => one - other))
})
