/**
 * The rules that matter, as tests. A rule is a function of a file's path and text that gives the reasons why it may not
 * stay so; every rule must catch the violations planted for it below, and must leave the look-alikes alone.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join, normalize, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { mutants } from './sim/mutants.ts'

type Rule = (path: string, text: string) => readonly string[]

const root = resolve(import.meta.dirname, '..')
const SELF = 'test/tidy.test.ts'

const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  gossip: ['core'],
  'kernel-adapter': ['core'],
  daemon: ['core', 'gossip', 'kernel-adapter'],
}

/** A foreign library, the one place in packages that may import it, and what is behind that door. */
const doors: readonly (readonly [library: RegExp, place: string, why: string])[] = [
  [
    /^(libp2p|@libp2p\/.*|@chainsafe\/.*|@multiformats\/.*|datastore-core(\/.*)?)$/,
    'packages/gossip/src/libp2p/',
    'libp2p is the shell of gossip',
  ],
  [/^@dnsquery\//, 'packages/gossip/src/libp2p/announcement.', 'one file knows what an mDNS packet is'],
  [/^protons-runtime$/, 'packages/gossip/src/wire.', 'only generated code speaks protobuf'],
  [/^execa$/, 'packages/kernel-adapter/src/iproute2.ts', 'one file runs ip and bridge'],
  [/^(node:)?child_process$/, 'nowhere: execa runs programs', 'one file runs ip and bridge'],
  [/^pino(-pretty)?$/, 'packages/daemon/src/log.ts', 'one file decides what a log line is'],
  [/^(fastify|@fastify\/.*)$/, 'packages/daemon/src/control.ts', 'one file answers on the control socket'],
  [/^commander$/, 'packages/daemon/src/cli', 'only the command line knows its flags'],
  [/^ipaddr\.js$/, 'packages/core/src/values.ts', 'an address is parsed once'],
]

/** The one place outside values.ts that may assert a type, each with its reason. */
const assertions: Readonly<Record<string, string>> = { 'packages/core/src/values.ts': 'its parsers are where brands are made' }

/** Where waiting is done for the tests: `until` polls a condition with a deadline; and an attacker's program shouts at its pace. */
const polls = ['harness', 'flood', 'insider', 'strangers'].map((name) => `test/netns/${name}.ts`)

const topLevel =
  /^(\..*|package\.json|tsconfig\.json|pnpm-workspace\.yaml|pnpm-lock\.yaml|packages|test|scripts|node_modules|README\.md|SECURITY\.md|LICENSE|CHANGELOG\.md|bench-.*\.json|.*\.log)$/

const isSource = (path: string): boolean => path.endsWith('.ts')
const isTest = (path: string): boolean => path.endsWith('.test.ts')
const isPure = (path: string): boolean =>
  !isTest(path) && (path.startsWith('packages/core/src/') || /^packages\/gossip\/src\/[^/]+\.ts$/.test(path))
const isGenerated = (path: string): boolean => /^packages\/gossip\/src\/wire\.(js|d\.ts)$/.test(path)

const COMMENTS = /\/\*[\s\S]*?\*\/|(?<![:\\])\/\/[^\n]*/
const STRINGS = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`/

function withoutComments(text: string): string {
  return text.replace(new RegExp(`${COMMENTS.source}|${STRINGS.source}`, 'g'), (found) => (/^\/[/*]/.test(found) ? ' ' : found))
}

/** What the program does: neither what is said in comments nor what stands in strings. */
function code(text: string): string {
  return text.replace(new RegExp(`${COMMENTS.source}|${STRINGS.source}`, 'g'), (found) => (/^\/[/*]/.test(found) ? ' ' : "''"))
}

/** Every module a text imports, by whatever form of import. */
function imports(text: string): readonly string[] {
  const forms = /\b(?:from|import)\s*\(?\s*(['"])([^'"\n]+)\1/g
  return [...withoutComments(text).matchAll(forms)].flatMap(([, , name]) => name ?? [])
}

/** For each match of a pattern in a text, the reason. */
function each(text: string, pattern: RegExp, why: string): readonly string[] {
  return [...text.matchAll(new RegExp(pattern, `${pattern.flags}g`))].map(([found]) => `${found.trim()}: ${why}`)
}

const rules: Readonly<Record<string, Rule>> = {
  'packages import in one direction': (path, text) => {
    const [, own] = /^packages\/([^/]+)\/src\//.exec(path) ?? []
    if (own === undefined || isGenerated(path)) return []
    return imports(text).flatMap((name) => {
      const [, other] = /^@vxmesh\/([^/]+)/.exec(name) ?? []
      if (other !== undefined && !(mayImport[own] ?? []).includes(other)) return `${own} may not import ${other}`
      if (name.startsWith('.') && !normalize(join(path, '..', name)).startsWith(`packages/${own}/src/`)) return `${name} leaves the package`
      return []
    })
  },
  'pure code has no surroundings': (path, text) => {
    if (!isPure(path) || isGenerated(path)) return []
    const outside = imports(text).filter((name) => isBuiltin(name) || name.startsWith('./libp2p/'))
    const clocks =
      /\b(Date\.now|new Date|Math\.random|performance|setTimeout|setInterval|setImmediate|queueMicrotask|getRandomValues|randomUUID|async|await)\b/
    return [
      ...outside.map((name) => `${name} is not pure`),
      ...each(code(text), clocks, 'time and dice are arguments, and there is nothing to wait for'),
    ]
  },
  'each foreign library has one door': (path, text) => {
    if (!path.startsWith('packages/')) return []
    return imports(text).flatMap((name) =>
      doors
        .filter(([library, place]) => library.test(name) && !path.startsWith(place))
        .map(([, place, why]) => `${name} belongs to ${place}: ${why}`),
    )
  },
  'types are asserted where values are parsed': (path, text) => {
    if (!isSource(path) || isTest(path) || isGenerated(path) || path in assertions) return []
    const renaming = /\b(?:import|export)\s+(?:type\s+)?(?:\*\s+as\s+\w+|[^;='"]*?\{[^}]*\})/g
    return each(code(text).replace(renaming, ''), /\bas\s+(?!const\b)[\w{([]+|(?<![\w)\]])<[A-Z]\w*>\s*[\w({[]/, 'parse instead')
  },
  'exports have names': (path, text) =>
    /^test\/(stryker\/)?(vitest|stryker)\.config\.ts$/.test(path)
      ? []
      : each(code(text), /\bexport\s+default\b|\bas\s+default\b/, 'name it'),
  'names say what is inside': (path) => each(path, /(?<=^|\/)(utils?|common|helpers?|manager|misc|shared)(?=\/|\.|$)/i, 'names nothing'),
  'files are short': (path, text) => {
    const lines = text.split('\n').length - 1
    return !/^packages\/[^/]+\/src\//.test(path) || isGenerated(path) || lines < 300 ? [] : [`${String(lines)} lines`]
  },
  'every test runs, and runs once': (path, text) => {
    if (!isTest(path)) return []
    return each(
      code(text),
      /\b(test|it|describe|suite|bench)(\.\w+)*\.(only|skip|skipIf|runIf|todo|fails)\b|\bx?(it|describe|test)\.skip\b|\bx(it|describe|test)\(|\bretry\s*:/,
      'no test is left out or tried again',
    )
  },
  'nothing sleeps in tests': (path, text) => {
    if (!(isTest(path) || path.startsWith('test/')) || polls.includes(path)) return []
    const timers = imports(text).filter((name) => /^(node:)?timers/.test(name))
    return [...timers, ...each(code(text), /(?<![.\w])(setTimeout|setInterval|sleep|delay)\s*\(/, 'use `until`, or virtual time')]
  },
  'neighbour is spelt as in `ip neighbour`, but for the section of systemd-networkd': (path, text) =>
    isGenerated(path) ? [] : each(text, /(?<!'\[)neighbor\w*/i, 'one spelling'),
  'relative imports carry their extension': (path, text) =>
    isSource(path) && !isGenerated(path)
      ? imports(text).filter((name) => name.startsWith('.') && !/\.(ts|json)$/.test(name) && !name.endsWith('/wire.js'))
      : [],
}

const planted: readonly (readonly [rule: keyof typeof rules, path: string, text: string])[] = [
  ['packages import in one direction', 'packages/core/src/a.ts', "import { x } from '@vxmesh/gossip'"],
  ['packages import in one direction', 'packages/gossip/src/libp2p/a.ts', "export * from '@vxmesh/kernel-adapter'"],
  ['packages import in one direction', 'packages/kernel-adapter/src/a.ts', "const x = await import('@vxmesh/daemon')"],
  ['packages import in one direction', 'packages/daemon/src/a.ts', "import type { X } from '../../core/src/values.ts'"],
  ['packages import in one direction', 'packages/daemon/src/a.test.ts', "import { until } from '../../../test/netns/harness.ts'"],
  ['pure code has no surroundings', 'packages/core/src/a.ts', "import { readFile } from 'node:fs/promises'"],
  ['pure code has no surroundings', 'packages/core/src/a.ts', "import 'fs'"],
  ['pure code has no surroundings', 'packages/gossip/src/a.ts', "import { x } from './libp2p/mesh.ts'"],
  ['pure code has no surroundings', 'packages/gossip/src/a.ts', 'const now = Date.now()'],
  ['pure code has no surroundings', 'packages/core/src/a.ts', 'const dice = Math.random()'],
  ['pure code has no surroundings', 'packages/core/src/a.ts', 'export async function x() {}'],
  ['each foreign library has one door', 'packages/gossip/src/a.ts', "import { createLibp2p } from 'libp2p'"],
  ['each foreign library has one door', 'packages/daemon/src/a.ts', "import { peerIdFromString } from '@libp2p/peer-id'"],
  ['each foreign library has one door', 'packages/kernel-adapter/src/a.ts', "import { execa } from 'execa'"],
  ['each foreign library has one door', 'packages/kernel-adapter/src/iproute2.ts', "import { spawn } from 'node:child_process'"],
  ['each foreign library has one door', 'packages/daemon/src/a.ts', "import { pino } from 'pino'"],
  ['each foreign library has one door', 'packages/daemon/src/a.ts', "import fastify from 'fastify'"],
  ['types are asserted where values are parsed', 'packages/core/src/a.ts', 'const x = y as PeerId'],
  ['types are asserted where values are parsed', 'scripts/a.ts', 'const x = y as unknown as { z: string }'],
  ['types are asserted where values are parsed', 'packages/core/src/a.ts', 'const x = <PeerId>y'],
  ['exports have names', 'packages/core/src/a.ts', 'export default function x() {}'],
  ['exports have names', 'packages/core/src/a.ts', 'export { x as default }'],
  ['names say what is inside', 'packages/core/src/utils.ts', ''],
  ['names say what is inside', 'packages/core/src/common/a.ts', ''],
  ['names say what is inside', 'test/sim/helpers.ts', ''],
  ['files are short', 'packages/core/src/a.ts', '\n'.repeat(300)],
  ['every test runs, and runs once', 'packages/core/src/a.test.ts', "test.only('x', () => {})"],
  ['every test runs, and runs once', 'packages/core/src/a.test.ts', "describe.skip('x', () => {})"],
  ['every test runs, and runs once', 'test/a.test.ts', "test.todo('x')"],
  ['every test runs, and runs once', 'test/a.test.ts', "test('x', { retry: 2 }, () => {})"],
  ['nothing sleeps in tests', 'packages/core/src/a.test.ts', "import { setTimeout as wait } from 'node:timers/promises'"],
  ['nothing sleeps in tests', 'test/sim/a.ts', 'setTimeout(resolve, 100)'],
  ['nothing sleeps in tests', 'test/a.test.ts', 'await sleep(100)'],
  ['neighbour is spelt as in `ip neighbour`, but for the section of systemd-networkd', 'packages/core/src/a.ts', '// a Neighbor'],
  ['relative imports carry their extension', 'packages/core/src/a.ts', "import { x } from './values'"],
  ['relative imports carry their extension', 'packages/core/src/a.ts', "export * from './values.js'"],
]

const innocent: readonly (readonly [path: string, text: string])[] = [
  ['packages/core/src/a.ts', "/* import { x } from '@vxmesh/gossip', as a Duration, Date.now() */"],
  ['packages/core/src/a.ts', "const said = 'as PeerId, Math.random, await' as const"],
  ['packages/core/src/a.ts', "import { x as y, type Z as W } from './values.ts'\nimport * as all from './table.ts'\nexport { y as z }"],
  [
    'packages/core/src/a.ts',
    'function first<Value>(values: readonly Value[]): Value | undefined { return new Map<string, Value>().get("as X") ?? values[0] }',
  ],
  ['packages/daemon/src/a.ts', "import { mesh } from '@vxmesh/gossip/libp2p'\nimport { setTimeout as wait } from 'node:timers/promises'"],
  ['packages/gossip/src/libp2p/a.ts', "import { state } from '../state.ts'\nimport { tcp } from '@libp2p/tcp'"],
  ['packages/gossip/src/message.ts', "import { Frame } from './wire.js'"],
  ['test/sim/a.test.ts', 'network.delay(5)\nrows.skip(1)\nexpect(x).toBe(1)'],
]

/** Everything a person wrote, by its path from the top: neither what was fetched nor what was built. */
function files(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (['node_modules', 'dist'].includes(entry.name)) return []
    return entry.isDirectory() ? files(path) : path
  })
}

const written = [...['packages', 'scripts', 'test'].flatMap(files), ...readdirSync(root).filter((name) => name === 'README.md')]
  .filter((path) => path !== SELF)
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))

describe('the repository is tidy', () => {
  test.each(Object.entries(rules))('%s', (_, rule) => {
    expect(written.flatMap(({ path, text }) => rule(path, text).map((reason) => `${path}: ${reason}`))).toEqual([])
  })

  test('the top level holds what the README lists, and nothing else', () => {
    expect(readdirSync(root).filter((name) => !topLevel.test(name))).toEqual([])
  })

  test('every bug of ./scripts/mutate can be planted: what it changes stands in its file, once', () => {
    const stale = mutants.filter(({ file, text }) => readFileSync(join(root, file), 'utf8').split(text).length !== 2)
    expect(stale.map(({ name }) => name)).toEqual([])
  })
})

describe('the rules can fail', () => {
  test.each(planted)('%s: %s: %s', (rule, path, text) => {
    expect(rules[rule]?.(path, text)).not.toEqual([])
  })

  test('every rule has a violation planted for it', () => {
    expect(Object.keys(rules).filter((rule) => !planted.some(([name]) => name === rule))).toEqual([])
  })

  test.each(innocent)('and leave alone %s: %s', (path, text) => {
    expect(Object.values(rules).flatMap((rule) => rule(path, text))).toEqual([])
  })
})
