/** The command that tells one history, and the histories it knows by name. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { instant, seconds } from '@vxmesh/core'
import { afterAll, describe, expect, test } from 'vitest'
import { Cluster } from './cluster.ts'
import { NETWORK } from './faults.ts'
import { film } from './film.ts'
import { plot } from './plot.ts'
import { begin, replayOf, stories } from './stories.ts'

const folder = mkdtempSync(join(tmpdir(), 'vxmesh-simulate-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

type Ended = { readonly code: number; readonly stdout: string; readonly stderr: string }

async function simulate(...args: readonly string[]): Promise<Ended> {
  const script = join(import.meta.dirname, '../../scripts/simulate.ts')
  return new Promise((resolve) => {
    execFile(process.execPath, [script, ...args], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

describe('the command', () => {
  test('tells the same history for the same words, filmed or not, and another for another seed', async () => {
    const picture = join(folder, 'history.svg')
    const [one, same, filmed, other] = await Promise.all([
      simulate('--seed', '5007', '--members', '5'),
      simulate('--seed', '5007', '--members', '5'),
      simulate('--seed', '5007', '--members', '5', '--plot', picture),
      simulate('--seed', '5008', '--members', '5'),
    ])
    expect(one).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/trace hash +[0-9a-f]{16}\nall laws held\n$/) })
    expect(same.stdout).toBe(one.stdout)
    expect(filmed.stdout.replace(/picture .*\n/, '')).toBe(one.stdout)
    expect(other.stdout).not.toBe(one.stdout)
    expect(readFileSync(picture, 'utf8')).toMatch(/^<svg .*<\/svg>\n$/s)
  })

  test('prints the whole history when asked to', async () => {
    const { stdout } = await simulate('--seed', '1', '--members', '2', '--scenario', 'leave', '--minutes', '0.1', '--trace')
    expect(stdout).toContain('\n    3.000  --     leave m')
  })

  test('lists its scenarios', async () => {
    const { code, stdout } = await simulate('--help')
    expect(code).toBe(0)
    for (const [name, { says }] of Object.entries(stories)) expect(stdout).toMatch(new RegExp(`^ +${name} +${says}$`, 'm'))
  })

  test.each([
    [[], '--seed'],
    [['--seed', '1'], '--members'],
    [['--seed', '-1', '--members', '3'], '--seed'],
    [['--seed=1.5', '--members', '3'], '--seed'],
    [['--seed', '1', '--members', '1'], '--members'],
    [['--seed', '1', '--members', '3', '--minutes', '0'], '--minutes'],
    [['--seed', '1', '--members', '3', '--scenario', 'toString'], 'swarm'],
    [['--seed', '1', '--members', '2', '--scenario', 'liar'], '--members'],
    [['--seed', '1', '--members', '3', '--plot', '/nowhere/x.svg'], '/nowhere/x.svg'],
    [['--sed', '1'], '--sed'],
    [['what'], 'what'],
  ])('refuses %j in one line', async (args, named) => {
    const { code, stdout, stderr } = await simulate(...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^simulate: [^\n]+\n$/)
    expect(stderr).toContain(named)
  })
})

describe.each(Object.keys(stories))('the scenario %s', (scenario) => {
  test.each([3, 6])('holds all laws with %i members', (members) => {
    const { cluster, tell } = begin({ scenario, seed: 50 + members, members, minutes: 0.5 })
    expect(tell).not.toThrow()
    expect(cluster.faults.all.length).toBeGreaterThan(0)
  })
})

test('a law that breaks names the command that tells its history again', () => {
  const ask = { scenario: 'swarm', seed: 8007, members: 8, minutes: 1 }
  const { cluster } = begin(ask)
  expect(() => cluster.laws.broken(cluster.host('m3'), 'law 3', 'for once')).toThrow(
    /^law 3 is broken by m3 at 0\.000 s: for once\nagain: \.\/scripts\/simulate --seed 8007 --members 8\n/,
  )
  expect(replayOf({ ...ask, scenario: 'power', minutes: 0.5 })).toBe(
    './scripts/simulate --seed 8007 --members 8 --scenario power --minutes 0.5',
  )
})

describe('a film', () => {
  test('shows what each member believed, and what was done to it', () => {
    const cluster = new Cluster(['a', 'b', 'c'], { seed: 1 })
    const end = film(cluster)
    cluster.run(seconds(5))
    cluster.kill('c')
    cluster.run(seconds(5))
    cluster.start('c')
    cluster.run(seconds(5))
    const { members, faults } = end('', '')
    expect(faults).toEqual([{ what: 'kill c', place: 'c', at: 5000, until: 10_000 }])
    expect(members.get('a')?.map(({ alive }) => alive)).toEqual([1, 3, 2, 3])
    expect(members.get('c')?.map(({ condition }) => condition)).toContain('idle')
  })

  test.each([2, 40])('of %i members is drawn with nothing in it that is not text', (count) => {
    const scenes = [{ at: instant(0), condition: 'listening', alive: 1 }] as const
    const picture = plot({
      title: 'a <b> & "c"',
      outcome: 'law <3>',
      end: instant(60_000),
      members: new Map(Array.from({ length: count }, (_, index) => [`<${String(index)}>`, scenes])),
      faults: [
        { what: 'partition <a> | b & c', place: NETWORK, at: instant(1000), until: undefined },
        { what: 'the disk of <1> is full', place: 'the disk of <1>', at: instant(2000), until: instant(3000) },
      ],
    })
    expect(picture).toContain('a &lt;b&gt; &amp; "c"')
    expect(picture).toContain('partition &lt;a&gt; | b &amp; c')
    expect(picture).toContain('the disk of &lt;1&gt; is full')
    expect(picture.match(/fill="#7d3c98"/g)).toHaveLength(2)
    expect(picture).not.toMatch(/<[a\d]>|NaN|Infinity|undefined/)
  })
})
