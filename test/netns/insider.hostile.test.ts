/** A member that floods another with what makes no sense, or no difference. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { seconds } from '@vxmesh/core'
import { expect, test } from 'vitest'
import { counter } from './counter.ts'
import { openSwitch, until } from './harness.ts'
import { converged, initMesh, MAIN, member, messages, started } from './member.ts'
import { used } from './used.ts'

const WAYS = ['malformed', 'rubbish', 'empty', 'again', 'asking', 'replays', 'boasting', 'accusing']

test('a member that floods a daemon with what cannot be believed, or is of no use, is cut off and holds up nobody', async () => {
  await using net = await openSwitch()
  await using mesh = await initMesh()
  const bastion = member(mesh, await net.host('bastion', '192.168.226.4/24'), '192.168.234.1/23')
  const first = member(mesh, await net.host('host-00', '192.168.226.5/24'), '192.168.234.2/23')
  const second = member(mesh, await net.host('host-01', '192.168.226.6/24'), '192.168.234.3/23')
  const hostile = await net.host('hostile', '192.168.226.100/24')
  const daemon = bastion.up()
  first.up('--seed', bastion.underlay)
  await converged([bastion, first])
  const said = messages(daemon).length
  const attack = (way: string) =>
    hostile.start(['node', join(import.meta.dirname, 'insider.ts'), mesh.invite, bastion.underlay, way, '1000'])

  const lags: number[] = []
  const lagged = async (): Promise<void> => {
    const lag = (await bastion.status()).event_loop_lag
    lags.push(...(lag === null ? [] : [lag.p99_ms]))
  }
  for (const way of WAYS) {
    const process = attack(way)
    const cut = (): number | undefined => process.lines.flatMap((line) => /^cut off after (\d+) ms/.exec(line)?.[1] ?? []).map(Number)[0]
    await until(`${way} frames are noticed`, () => cut() !== undefined || process.lines, { within: seconds(30) })
    console.log(`${way}: ${process.lines.findLast((line) => line.startsWith('cut')) ?? ''}`)
    expect(cut()).toBeLessThanOrEqual(2000)
    // From its address it would go on knocking, and the next would wait behind it.
    process.signal('SIGKILL')
    await process.exit
    await lagged()
  }

  const last = attack('asking')
  await until('it asks', () => last.lines.length >= 1 || last.lines, { within: seconds(30) })
  const [start, began] = [await used(daemon.pid), performance.now()]
  const newcomer = second.up('--seed', bastion.underlay)
  await started(newcomer)
  const joined = await converged([bastion, first, second], seconds(4))
  const share = ((await used(daemon.pid)).cpu - start.cpu) / ((performance.now() - began) / 1000)
  console.log(`a join took ${String(Math.round(joined))} ms, the daemon ${String(Math.round(share * 100))} % of a core`)
  await lagged()
  console.log(`its event loop was late by ${lags.join(', ')} ms, p99`)
  expect(Math.max(...lags)).toBeLessThanOrEqual(50)
  const lines = messages(daemon).slice(said)
  expect(lines.filter((line) => /member (host-00|host-01) .* is (suspect|dead|restarting)/.test(line))).toEqual([])
  expect(lines.filter((line) => line.includes('was dropped')).length).toBeLessThanOrEqual(2 * (WAYS.length + 1))
})

test('a member that says what may not be is sent nothing for it, nor is anybody else, and the others go on', async () => {
  await using net = await openSwitch()
  await using mesh = await initMesh()
  const bastion = member(mesh, await net.host('bastion', '192.168.226.4/24'), '192.168.234.1/23')
  const first = member(mesh, await net.host('host-00', '192.168.226.5/24'), '192.168.234.2/23')
  const second = member(mesh, await net.host('host-01', '192.168.226.6/24'), '192.168.234.3/23')
  const [hostile, victim] = [await net.host('hostile', '192.168.226.100/24'), await net.host('victim', '192.168.226.66/24')]
  const came = await counter(victim)
  const daemon = bastion.up()
  // What an invite binds nobody takes from whoever came by it; else the earlier claim holds, and anybody may say that it is his.
  const bound = join(mesh.directory, 'bound.invite')
  await writeFile(bound, await bastion.host.run(['node', MAIN, 'invite', '--dir', mesh.directory, '--address', '192.168.234.2/32']))
  first.up('--invite', bound, '--seed', bastion.underlay)
  await converged([bastion, first])
  const mac = /link\/ether (\S+)/.exec(await first.host.run(['ip', 'link', 'show', 'dev', 'provider0']))?.[1]
  const lie = async (way: string) => {
    const process = hostile.start(['node', join(import.meta.dirname, 'insider.ts'), mesh.invite, bastion.underlay, way, '5'])
    // Each of its claims was made twice at least.
    const said = (): number => Number(/said (\d+)/.exec(process.lines.findLast((line) => line.startsWith('said')) ?? '')?.[1] ?? 0)
    const settled = async (): Promise<unknown> => {
      // What is for everybody in the tunnel, and what is for it.
      for (const at of [bastion, first]) for (const address of ['192.168.234.66', '192.168.234.99']) await at.pings(address)
      return said() >= 15 || process.lines
    }
    await until(`${way} were told`, settled, { within: seconds(60) })
    return process
  }

  const places = await lie('places')
  expect([await bastion.flood(), await first.flood()]).toEqual([[first.underlay], [bastion.underlay]])
  const newcomer = second.up('--seed', bastion.underlay)
  await started(newcomer)
  const joined = await converged([bastion, first, second], seconds(4))
  expect(await came()).toBe(0)
  places.signal('SIGKILL')

  for (const way of ['claims', 'limits']) {
    const process = await lie(way)
    expect(await bastion.host.run(['ip', 'neighbour', 'show', '192.168.234.2', 'dev', 'provider0'])).toContain(` ${mac ?? ''} `)
    expect(await bastion.pings('192.168.234.2')).toBe(true)
    process.signal('SIGKILL')
    await process.exit
  }
  const { event_loop_lag: lag, members } = await bastion.status()
  console.log(`a join took ${String(Math.round(joined))} ms; the event loop was late by ${String(lag?.p99_ms)} ms, p99`)
  expect(lag?.p99_ms).toBeLessThanOrEqual(50)
  expect(members.flatMap(({ note }) => (note === null ? [] : [note])).join('\n')).toContain('192.168.234.2 belongs to host-00')
  expect(messages(daemon).filter((line) => /member (host-00|host-01) .* is (suspect|dead|restarting)/.test(line))).toEqual([])
  expect(await came()).toBe(0)
  await bastion.host.outcome(['ping', '-c', '1', '-W', '1', '192.168.226.66'])
  expect(await came()).toBeGreaterThan(0)
})
