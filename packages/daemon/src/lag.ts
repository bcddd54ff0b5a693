/**
 * How late this daemon gets to what it has to do: by as much everything here, sending heartbeats included, waits its turn.
 * On a machine without time, or under a flood, it tells so before others do.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { seconds, type Duration } from '@vxmesh/core'
import type { StatusReport } from './answers.ts'

/** How often it is looked at, in milliseconds: what is measured is this and how much later it was. */
const EVERY = 20

/** What is told is of the last whole window. */
const WINDOW = seconds(10)

export function watchLag(window: Duration = WINDOW): Disposable & { report(): StatusReport['event_loop_lag'] } {
  const delays = monitorEventLoopDelay({ resolution: EVERY })
  const late = (nanoseconds: number): number => Math.max(0, Math.round(nanoseconds / 1e5 - 10 * EVERY) / 10)
  let last: StatusReport['event_loop_lag'] = null
  const timer = setInterval(() => {
    last = { p50_ms: late(delays.percentile(50)), p99_ms: late(delays.percentile(99)), max_ms: late(delays.max) }
    delays.reset()
  }, window)
  timer.unref()
  delays.enable()
  return {
    report: () => last,
    [Symbol.dispose]: () => {
      clearInterval(timer)
      delays.disable()
    },
  }
}
