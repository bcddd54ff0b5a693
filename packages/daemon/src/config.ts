/**
 * The file of `vxmesh up --config`: YAML in the words of netplan and `ip`. What is wrong with it is said in one line that
 * names the file, the line and the key. Every value is taken as it was typed, as that of a flag is: YAML's own notions of
 * numbers and truth have no say.
 */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { MeshError, messageOf } from '@vxmesh/core'
import { isMap, isScalar, LineCounter, parseDocument, type YAMLParseError, type YAMLWarning } from 'yaml'
import { z } from 'zod'
import { DEFAULTS } from './defaults.ts'
import { trouble } from './files.ts'
import { parseMember, parsePath, type RawMember, type RawUpOptions, type UpOptions } from './options.ts'

const text = z.string()
const list = z.array(text)

/** The keys of a tunnel. Its device is the key that it stands under. */
const tunnel = z.strictObject({
  mode: text.default(DEFAULTS.mode),
  id: text.optional(),
  key: text.optional(),
  local: text.optional(),
  addresses: list.default([]),
  port: text.optional(),
  mtu: text.optional(),
  master: text.optional(),
})

/** The keys of the member. */
const member = z.strictObject({
  invite: text.optional(),
  seeds: list.default([]),
  discover: z.union([list, text.transform((only) => [only])]).default([]),
  name: text.optional(),
  'state-dir': text.default(DEFAULTS.stateDir),
  control: text.default(DEFAULTS.control),
  port: text.default(DEFAULTS.port),
  'log-level': text.default(DEFAULTS.logLevel),
  guard: text.default(DEFAULTS.guard),
  underlay: list.default([]),
  tunnels: z.record(text, tunnel),
})

/**
 * The member that a file describes. Flags of the member go before what the file says; for tunnels there is the file.
 * Throws `CONFIG_INVALID` where the file is wrong.
 * @param text gives what is in it
 */
export function readConfig(file: string, flags: Partial<RawUpOptions>, text = read): UpOptions {
  const { device, mode, id, key, local, address, vxlanPort, mtu, master, ...typed } = flags
  const stray = [device, mode, id, key, local, address, vxlanPort, mtu, master].find((each) => each !== undefined)
  if (stray !== undefined)
    throw new MeshError({ code: 'USAGE', reason: `--config ${file}: the tunnels are those of the file; leave the flags of a tunnel out` })
  const { content, lines } = understood(parsePath({ code: 'USAGE', where: '--config' }, file), text)
  for (const [part, flag] of FLAGGED) if (typed[flag] !== undefined) lines.delete(part)
  const path = (name: string): string => (name === '' ? name : resolve(dirname(file), name))
  const raw: RawMember = {
    ...(content.invite === undefined ? {} : { invite: path(content.invite) }),
    ...(content.name === undefined ? {} : { name: content.name }),
    seed: content.seeds,
    discover: content.discover,
    stateDir: path(content['state-dir']),
    control: path(content.control),
    port: content.port,
    logLevel: content['log-level'],
    guard: content.guard,
    underlay: content.underlay,
    kernel: DEFAULTS.kernel,
    ...typed,
  }
  const tunnels = Object.entries(content.tunnels).map(([name, parts]) => ({ ...parts, device: name }))
  if (tunnels.length === 0) throw invalid(file, lines, ['tunnels'], 'at least one is needed')
  return parseMember(raw, tunnels, { file, lines })
}

/** What a file may say, and the flag that says it as well. */
const FLAGGED = [
  ['invite', 'invite'],
  ['seeds', 'seed'],
  ['discover', 'discover'],
  ['name', 'name'],
  ['state-dir', 'stateDir'],
  ['control', 'control'],
  ['port', 'port'],
  ['log-level', 'logLevel'],
  ['guard', 'guard'],
  ['underlay', 'underlay'],
] as const

type Lines = Map<string, number>

function understood(file: string, text: typeof read): { readonly content: z.output<typeof member>; readonly lines: Lines } {
  const counter = new LineCounter()
  const document = parseDocument(text(file), { schema: 'failsafe', stringKeys: true, prettyErrors: false, lineCounter: counter })
  const lines: Lines = new Map()
  const note = (node: unknown, path: readonly string[]): void => {
    for (const { key, value } of isMap(node) ? node.items : []) {
      if (!isScalar(key)) continue
      const here = [...path, String(key.value)]
      lines.set(here.join('.'), counter.linePos(key.range?.[0] ?? 0).line)
      note(value, here)
    }
  }
  const [wrong] = [...document.errors, ...document.warnings]
  if (wrong !== undefined) throw unreadable(`${file}:${String(counter.linePos(wrong.pos[0]).line)}`, `not YAML: ${words(wrong)}`)
  note(document.contents, [])
  const checked = member.safeParse(plain(file, () => document.toJS()))
  if (checked.success) return { content: checked.data, lines }
  const [first] = checked.error.issues
    .map((issue) => complaint(issue, lines))
    .toSorted((a, b) => lineFor(lines, a.path) - lineFor(lines, b.path))
  throw invalid(file, lines, first?.path ?? [], first?.reason ?? 'malformed')
}

/** What is wrong with the text, without what only a programmer would do about it. */
function words({ code, message }: YAMLParseError | YAMLWarning): string {
  return code === 'MULTIPLE_DOCS' ? 'it has more than one document' : message
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw unreadable(`--config ${file}`, `cannot be read: ${trouble(error)}`, error)
  }
}

/** Aliases may lead nowhere, or to more than there is room for. */
function plain(file: string, make: () => unknown): unknown {
  try {
    return make()
  } catch (error) {
    throw unreadable(file, messageOf(error), error)
  }
}

type Complaint = { readonly path: readonly string[]; readonly reason: string }

function complaint(issue: z.core.$ZodIssue, lines: Lines): Complaint {
  const path = issue.path.map(String)
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(path.length === 0 ? member.shape : tunnel.shape)
    return { path: [...path, issue.keys[0] ?? ''], reason: `unknown; the keys here are ${known.join(', ')}` }
  }
  if (issue.code !== 'invalid_type') return { path, reason: issue.message }
  if (path[0] === 'tunnels' && !lines.has('tunnels')) return { path, reason: 'needed, the tunnels by their devices' }
  if (issue.expected === 'string') return { path, reason: 'one value belongs here' }
  return { path, reason: issue.expected === 'array' ? 'a list belongs here, as in [a, b]' : 'keys with values belong here' }
}

/** The line of a key, or of what it would be in. */
function lineFor(lines: Lines, path: readonly string[]): number {
  return path.length === 0 ? 1 : (lines.get(path.join('.')) ?? lineFor(lines, path.slice(0, -1)))
}

function invalid(file: string, lines: Lines, path: readonly string[], reason: string): MeshError {
  const where = `${file}:${String(lineFor(lines, path))}`
  return unreadable(path.length === 0 ? where : `${where}: ${path.join('.')}`, reason)
}

function unreadable(where: string, reason: string, cause?: unknown): MeshError {
  return new MeshError({ code: 'CONFIG_INVALID', where, reason }, { cause })
}
