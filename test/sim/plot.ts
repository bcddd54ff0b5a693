/**
 * A film as one picture, in SVG: over virtual time, a lane a member with the number of members it believes alive, and
 * above the lanes what went wrong and for how long. Many members get thin lanes, in which the number is a shade.
 */
import { printable } from '@vxmesh/core'
import { NETWORK, type Fault } from './faults.ts'
import type { Film, Scene } from './film.ts'

const WIDTH = 1200
const LEFT = 76
const RIGHT = 24
const ROW = 13
const LETTER = 6.1
const LABEL_MOST = 36
const FAULT_ROWS_MOST = 24
/** Up to here a lane has room for a line. */
const LINES_MOST = 24

const COLOURS = {
  line: '#1f5f99',
  area: '#cfe0f0',
  off: '#4a4a4a',
  idle: '#b8b8b8',
  paused: '#f0c36d',
  fault: '#c0392b',
  part: '#7d3c98',
} as const

/** Where everything is on the paper. */
type Paper = {
  readonly top: number
  readonly lane: number
  readonly bottom: number
  readonly most: number
  readonly end: number
  readonly x: (time: number) => number
}

type Placed = { readonly fault: Fault; readonly row: number }

export function plot(film: Film): string {
  const { members, faults } = film
  const end = Math.max(film.end, 1)
  const x = (time: number) => LEFT + (time / end) * (WIDTH - LEFT - RIGHT)
  const placed = place(faults, x, end)
  const rows = Math.min(FAULT_ROWS_MOST, Math.max(0, ...placed.map(({ row }) => row + 1)))
  const lane =
    members.size > LINES_MOST ? Math.max(3, Math.min(14, Math.floor(560 / members.size))) : Math.min(48, Math.floor(560 / members.size))
  const top = 58 + rows * ROW
  const paper: Paper = { top, lane, bottom: top + lane * members.size, most: Math.max(1, members.size), end, x }
  const height = paper.bottom + 66
  const hidden = placed.filter(({ row }) => row >= FAULT_ROWS_MOST).length
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${String(WIDTH)} ${String(height)}" width="${String(WIDTH)}" height="${String(height)}" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="10">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    text(LEFT, 20, film.title, 'font-size="14" font-weight="bold"'),
    text(LEFT, 36, film.outcome, `fill="${film.outcome.startsWith('all laws held') ? '#2d7d46' : COLOURS.fault}"`),
    ...axis(paper, height),
    ...placed.flatMap((each) => shade(paper, each.fault)),
    ...[...members].flatMap(([name, scenes], index) => member(paper, name, scenes, index)),
    ...placed.flatMap((each) => strip(paper, each.fault, [...members.keys()])),
    ...placed.flatMap((each) => band(paper, each)),
    hidden > 0 ? text(LEFT, top - 8, `and ${String(hidden)} faults that are not named`, 'fill="#777"') : '',
    ...legend(height - 12, members.size),
    '</svg>',
    '',
  ].join('\n')
}

/** Puts the label of every fault into the first row where there is room for it. */
function place(faults: readonly Fault[], x: Paper['x'], end: number): readonly Placed[] {
  const free: number[] = []
  return faults.map((fault) => {
    const from = x(fault.at)
    const to = Math.max(x(fault.until ?? end), labelAt(from, fault) + label(fault).length * LETTER)
    const found = free.findIndex((until) => until <= from)
    const row = found === -1 ? free.length : found
    free[row] = to + 6
    return { fault, row }
  })
}

/** A label that would leave the paper ends at its edge instead. */
function labelAt(from: number, fault: Fault): number {
  return Math.min(from + 4, WIDTH - RIGHT - label(fault).length * LETTER)
}

function label({ what }: Fault): string {
  const rounded = what.replace(/(\.\d)\d+(?= s$)/, '$1')
  return rounded.length > LABEL_MOST ? `${rounded.slice(0, LABEL_MOST - 1)}…` : rounded
}

/** The time of a cut, behind the lanes; where they are too thin to look through, its beginning and end. */
function shade({ top, bottom, end, x, most }: Paper, { place, at, until }: Fault): readonly string[] {
  if (place !== NETWORK) return []
  const [from, to] = [x(at), x(until ?? end)]
  const red = `fill="${COLOURS.fault}"`
  return most > LINES_MOST
    ? [from, to].map((edge) => rect(edge - 0.5, top - 4, 1.5, bottom - top + 8, red))
    : [rect(from, top, Math.max(1.5, to - from), bottom - top, `${red} fill-opacity="0.13"`)]
}

/** What is wrong with a part of a host, its kernel say, along the top of its lane. */
function strip({ top, lane, end, x }: Paper, { place, at, until }: Fault, members: readonly string[]): readonly string[] {
  const index = members.findIndex((name) => place !== name && place.endsWith(` of ${name}`))
  if (index === -1) return []
  const from = x(at)
  return [rect(from, top + index * lane, Math.max(1.5, x(until ?? end) - from), Math.min(3, lane), `fill="${COLOURS.part}"`)]
}

/** The name of a fault, above the lanes. */
function band({ end, x }: Paper, { fault, row }: Placed): readonly string[] {
  if (row >= FAULT_ROWS_MOST) return []
  const from = x(fault.at)
  const width = Math.max(1.5, x(fault.until ?? end) - from)
  const cut = fault.place === NETWORK
  const y = 46 + row * ROW
  return [
    `<g>${element('title', '', fault.what)}`,
    rect(from, y, width, ROW - 2, `fill="${cut ? COLOURS.fault : '#8a8a8a'}" fill-opacity="0.28"`),
    rect(from, y, 1.5, ROW - 2, `fill="${cut ? COLOURS.fault : '#555'}"`),
    text(labelAt(from, fault), y + 9, label(fault), `fill="${cut ? '#8e2419' : '#333'}"`),
    '</g>',
  ]
}

function member(paper: Paper, name: string, scenes: readonly Scene[], index: number): readonly string[] {
  const { top, lane, end, x } = paper
  const y = top + index * lane
  const spans = scenes.map((scene, at) => ({ ...scene, from: x(scene.at), to: x(scenes[at + 1]?.at ?? end) }))
  const named = lane >= 9 || index % Math.ceil(10 / lane) === 0
  return [
    named ? text(LEFT - 8, y + lane / 2 + 3.5, name, 'text-anchor="end"') : '',
    ...spans.flatMap((span) => scenery(paper, y, span)),
    paper.most <= LINES_MOST ? line(paper, y, spans) : '',
    lane >= 24 ? text(WIDTH - RIGHT + 5, y + 11, String(paper.most), 'fill="#999"') : '',
    lane >= 24 ? text(WIDTH - RIGHT + 5, y + lane - 2, '0', 'fill="#999"') : '',
    rect(LEFT, y + lane - 0.25, WIDTH - LEFT - RIGHT, 0.5, 'fill="#d5d5d5"'),
  ]
}

type Span = Scene & { readonly from: number; readonly to: number }

function scenery({ lane, most }: Paper, y: number, { from, to, alive, condition }: Span): readonly string[] {
  const width = to - from
  if (condition !== 'listening') return [rect(from, y + 1, width, lane - 2, `fill="${COLOURS[condition]}"`)]
  if (alive === undefined) return []
  const share = alive / most
  return most > LINES_MOST
    ? [rect(from, y, width, lane, `fill="${COLOURS.line}" fill-opacity="${(0.08 + 0.92 * share).toFixed(2)}"`)]
    : [rect(from, y + lane - (lane - 4) * share, width, (lane - 4) * share, `fill="${COLOURS.area}" fill-opacity="0.85"`)]
}

/** The number as a line of steps, broken where no daemon runs. */
function line({ lane, most }: Paper, y: number, spans: readonly Span[]): string {
  const height = (alive: number) => (y + lane - (lane - 4) * (alive / most)).toFixed(1)
  const steps = spans.map(({ from, to, alive }, index) => {
    if (alive === undefined) return ''
    const joined = spans[index - 1]?.alive !== undefined
    return `${joined ? 'L' : 'M'}${from.toFixed(1)} ${height(alive)}H${to.toFixed(1)}`
  })
  return `<path d="${steps.join('')}" fill="none" stroke="${COLOURS.line}" stroke-width="1.2"/>`
}

function axis({ top, bottom, end, x }: Paper, height: number): readonly string[] {
  const seconds = end / 1000
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600, 7200].find((each) => seconds / each <= 14) ?? 14_400
  const ticks = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, index) => index * step)
  return [
    ...ticks.flatMap((tick) => [
      rect(x(tick * 1000), top, 0.5, bottom - top + 4, 'fill="#bbb"'),
      text(x(tick * 1000), bottom + 16, String(Number(tick.toFixed(1))), 'text-anchor="middle"'),
    ]),
    text((LEFT + WIDTH - RIGHT) / 2, height - 34, 'virtual time in seconds', 'text-anchor="middle" fill="#555"'),
  ]
}

function legend(y: number, members: number): readonly string[] {
  const count = members > LINES_MOST ? 'shade' : 'height'
  const items = [
    [members > LINES_MOST ? COLOURS.line : COLOURS.area, `${count}: how many of ${String(members)} it believes alive, itself included`],
    [COLOURS.idle, 'no daemon'],
    [COLOURS.off, 'no power'],
    [COLOURS.paused, 'stands still'],
    [COLOURS.part, 'kernel, disk or word'],
    ['#f4d7d4', 'network is cut'],
  ] as const
  let x = LEFT
  return items.flatMap(([colour, said]) => {
    const from = x
    x += 14 + said.length * LETTER + 18
    return [rect(from, y - 9, 10, 10, `fill="${colour}"`), text(from + 14, y, said, 'fill="#333"')]
  })
}

function rect(x: number, y: number, width: number, height: number, more: string): string {
  const [at, from, wide, high] = [x, y, Math.max(0, width), height].map((each) => String(Number(each.toFixed(2))))
  return `<rect x="${at ?? ''}" y="${from ?? ''}" width="${wide ?? ''}" height="${high ?? ''}" shape-rendering="crispEdges" ${more}/>`
}

function text(x: number, y: number, said: string, more: string): string {
  return element('text', `x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}`, said)
}

function element(name: string, attributes: string, inside: string): string {
  const safe = printable(inside).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  return `<${name}${attributes === '' ? '' : ` ${attributes}`}>${safe}</${name}>`
}
