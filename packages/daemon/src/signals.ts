/**
 * Resolves with the reason to end: a signal, or `stop` being called. Listens on while it ends: without a listener of
 * ours those of execa, which ends its children with us, would end this process by the same signal.
 */
export function untilSignalled(): { readonly promise: Promise<string>; stop(): void } & Disposable {
  const { promise, resolve } = Promise.withResolvers<string>()
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, resolve)
  return {
    promise,
    stop: () => resolve('left'),
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, resolve)
    },
  }
}
