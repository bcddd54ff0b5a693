/** Turns, one at a time: when something wakes the loop, again after a rest when it was woken meanwhile, and when time is up. */
import { BURST, elapsed, HELD_PAUSE, restAfter, type Duration } from '@vxmesh/core'
import { monotonicClock as clock } from './clock.ts'

export type Loop = {
  /** Something may have changed: a turn follows. */
  wake(): void
  /** The kernel says that something changed in it: a turn follows a moment later, for all that it says until then. */
  hint(): void
  /** No turn begins any more; resolves when the one under way is over. */
  stop(): Promise<void>
}

/**
 * Starts with a turn.
 * @param turn takes one, never rejects, and gives how long the next may wait when nothing wakes the loop
 * @param due is told when a turn follows that nothing but time has woken
 */
export function startLoop(turn: () => Promise<Duration>, due: () => void): Loop {
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let burst: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let awake = false
  let first = true
  let endRest = (): void => undefined

  function later(pause: Duration): void {
    clearTimeout(timer)
    if (stopped) return
    timer = setTimeout(() => {
      due()
      wake()
    }, pause)
  }

  async function rest(duration: Duration): Promise<void> {
    await new Promise<void>((resolve) => {
      const resting = setTimeout(resolve, duration)
      endRest = () => {
        clearTimeout(resting)
        resolve()
      }
    })
  }

  function wake(): void {
    awake = true
    running ??= run().finally(() => {
      running = undefined
      if (pending()) wake()
    })
  }

  function pending(): boolean {
    return awake && !stopped
  }

  async function run(): Promise<void> {
    let pause: Duration = HELD_PAUSE
    while (pending()) {
      awake = false
      const began = clock.now()
      pause = await turn()
      if (pending()) await rest(restAfter(elapsed(began, clock.now())))
    }
    // The monitors may have missed what happened while they started: the first turn is followed by another soon.
    later(first ? HELD_PAUSE : pause)
    first = false
  }

  wake()
  return {
    wake,
    hint: () => {
      // Not put off by what comes after: where events never cease there would be no turn.
      burst ??= setTimeout(() => {
        burst = undefined
        wake()
      }, BURST)
    },
    stop: async () => {
      stopped = true
      endRest()
      clearTimeout(timer)
      clearTimeout(burst)
      await running
    },
  }
}
