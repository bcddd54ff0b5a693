/**
 * The daemon's side of its two sockets, HTTP on unix sockets, so that curl can read it as well: one for its owner, who may
 * have it do things, and beside it one that only tells, for the group of the directory they are in.
 */
import { chmodSync, chownSync, statSync } from 'node:fs'
import { STATUS_CODES } from 'node:http'
import { dirname } from 'node:path'
import { fastify, type FastifyError, type FastifyInstance } from 'fastify'
import { printableJson, type Bytes } from '@vxmesh/core'
import {
  evictRequest,
  renewRequest,
  rotateRequest,
  type CertificatesReport,
  type EvictionReport,
  type LeaveReport,
  type PlanReport,
  type RenewReport,
  type RotationReport,
  type StatusReport,
} from './answers.ts'
import { statusSocket } from './defaults.ts'
import { listenAlone } from './exclusive.ts'

type ControlHandlers = {
  status(): Promise<StatusReport>
  leave(): Promise<LeaveReport>
  plan(): Promise<PlanReport>
  evictions(): EvictionReport
  /** Throws `MeshError` when the mesh key did not sign it. */
  evict(eviction: Bytes): EvictionReport
  rotation(): RotationReport
  certificates(): CertificatesReport
  /** Throws `MeshError` when not both keys signed it, or the mesh knows better. */
  rotate(successions: readonly string[], reissues: readonly Bytes[]): RotationReport
  /** Throws `MeshError` when the certificates do not admit this member, or not as it is. */
  renew(chain: Bytes, seeds: readonly string[], successions: readonly string[]): RenewReport
}

export type Control = {
  /** From now on requests are answered; until then callers are told that the daemon starts. */
  serve(handlers: ControlHandlers): void
  close(): Promise<void>
}

const STARTING = { statusCode: 503, error: 'Service Unavailable', message: 'the daemon is starting' }

/** How many may be connected to a socket at once, how many bytes each may ask with, and how long it may take to, in milliseconds. */
const CLIENTS_MOST = 16
const REQUEST_MOST = 4096
const REQUEST_WITHIN = 5000

/** Certificates with many addresses take more. */
const CERTIFICATES_MOST = 16_384

/** So do all successions that a mesh may have, and as many certificates as one request may bring. */
const ROTATION_MOST = 65_536

/** Takes both sockets, or throws `ALREADY_RUNNING`. */
export async function openControl(path: string): Promise<Control> {
  let handlers: ControlHandlers | undefined
  const given = (): ControlHandlers | undefined => handlers
  await using opening = new AsyncDisposableStack()
  const flag = `--control ${path}`
  const control = opening.adopt(controlServer(given), close)
  opening.defer(await listenAlone(path, { what: 'the control socket', flag }, async (reachable) => control.listen({ path: reachable })))
  const status = opening.adopt(bounded(), close)
  tell(status, given)
  const place = statusSocket(path)
  opening.defer(await listenAlone(place, { what: 'the status socket', flag }, async (reachable) => status.listen({ path: reachable })))
  openToGroup(place)
  const open = opening.move()
  return {
    serve: (given) => {
      handlers = given
    },
    close: async () => open.disposeAsync(),
  }
}

/** What answers on the control socket, wherever it listens. */
export function controlServer(handlers: () => ControlHandlers | undefined): FastifyInstance {
  const server = bounded()
  tell(server, handlers)
  act(server, handlers)
  return server
}

function bounded(): FastifyInstance {
  const http = { headersTimeout: REQUEST_WITHIN, connectionsCheckingInterval: 1000, maxHeaderSize: REQUEST_MOST }
  const server = fastify({ logger: false, bodyLimit: REQUEST_MOST, requestTimeout: REQUEST_WITHIN, forceCloseConnections: true, http })
  server.server.maxConnections = CLIENTS_MOST
  server.setReplySerializer((payload) => printableJson(payload))
  // As fastify has it, but by the same serializer.
  server.setErrorHandler<FastifyError>(({ statusCode = 500, message }, _request, reply) =>
    reply.code(statusCode).send({ statusCode, error: STATUS_CODES[statusCode] ?? '', message }),
  )
  return server
}

async function close(server: FastifyInstance): Promise<void> {
  await server.close()
}

function tell(server: FastifyInstance, handlers: () => ControlHandlers | undefined): void {
  server.get('/v1/status', async (_request, reply) => handlers()?.status() ?? reply.code(503).send(STARTING))
  server.get('/v1/plan', async (_request, reply) => handlers()?.plan() ?? reply.code(503).send(STARTING))
  server.get('/v1/rotation', async (_request, reply) => handlers()?.rotation() ?? reply.code(503).send(STARTING))
  server.get('/v1/certificates', async (_request, reply) => handlers()?.certificates() ?? reply.code(503).send(STARTING))
  server.get('/v1/evictions', async (_request, reply) => handlers()?.evictions() ?? reply.code(503).send(STARTING))
  // For Prometheus; what writes it is loaded when somebody asks.
  server.get('/metrics', async (_request, reply) => {
    const report = await handlers()?.status()
    if (report === undefined) return reply.code(503).send(STARTING)
    const { renderMetrics } = await import('./metrics.ts')
    return reply.type('text/plain; version=0.0.4; charset=utf-8').send(await renderMetrics(report))
  })
}

function act(server: FastifyInstance, handlers: () => ControlHandlers | undefined): void {
  server.post('/v1/leave', async (_request, reply) => handlers()?.leave() ?? reply.code(503).send(STARTING))
  server.post('/v1/renew', { bodyLimit: CERTIFICATES_MOST }, async ({ body }, reply) => {
    const request = renewRequest.safeParse(body)
    if (!request.success) return reply.code(400).send({ statusCode: 400, error: 'Bad Request', message: 'not certificates' })
    const { chain, seeds, successions } = request.data
    return handlers()?.renew(Uint8Array.from(Buffer.from(chain, 'base64')), seeds, successions) ?? reply.code(503).send(STARTING)
  })
  server.post('/v1/rotate', { bodyLimit: ROTATION_MOST }, async ({ body }, reply) => {
    const request = rotateRequest.safeParse(body)
    if (!request.success) return reply.code(400).send({ statusCode: 400, error: 'Bad Request', message: 'not a rotation' })
    const { successions, reissues } = request.data
    const made = reissues.map((text) => Uint8Array.from(Buffer.from(text, 'base64')))
    return handlers()?.rotate(successions, made) ?? reply.code(503).send(STARTING)
  })
  server.post('/v1/evict', async ({ body }, reply) => {
    const request = evictRequest.safeParse(body)
    if (!request.success) return reply.code(400).send({ statusCode: 400, error: 'Bad Request', message: 'not an eviction' })
    return handlers()?.evict(Uint8Array.from(Buffer.from(request.data.eviction, 'base64'))) ?? reply.code(503).send(STARTING)
  })
}

/** A socket is its owner's alone until the group is right; it stays so where the system lets us give it to no group. */
function openToGroup(path: string): void {
  try {
    chownSync(path, process.getuid?.() ?? -1, statSync(dirname(path)).gid)
  } catch {
    return
  }
  chmodSync(path, 0o660)
}
