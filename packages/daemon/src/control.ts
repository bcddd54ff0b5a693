/** The daemon's side of the control socket: HTTP on a unix socket of mode 0600, so that curl can read it as well. */
import { fastify } from 'fastify'
import { listenAlone } from './exclusive.ts'
import type { Bytes } from '@vxmesh/core'
import { evictRequest, type EvictionReport, type LeaveReport, type PlanReport, type StatusReport } from './answers.ts'

type ControlHandlers = {
  status(): Promise<StatusReport>
  leave(): Promise<LeaveReport>
  plan(): Promise<PlanReport>
  evictions(): EvictionReport
  /** Throws `MeshError` when the mesh key did not sign it. */
  evict(eviction: Bytes): EvictionReport
}

export type Control = {
  /** From now on requests are answered; until then callers are told that the daemon starts. */
  serve(handlers: ControlHandlers): void
  close(): Promise<void>
}

const STARTING = { statusCode: 503, error: 'Service Unavailable', message: 'the daemon is starting' }

/** Takes the control socket, or throws `ALREADY_RUNNING`. */
export async function openControl(path: string): Promise<Control> {
  const server = fastify({ logger: false, bodyLimit: 4096, requestTimeout: 5000, forceCloseConnections: true })
  let handlers: ControlHandlers | undefined
  server.get('/v1/status', async (_request, reply) => handlers?.status() ?? reply.code(503).send(STARTING))
  server.post('/v1/leave', async (_request, reply) => handlers?.leave() ?? reply.code(503).send(STARTING))
  server.get('/v1/plan', async (_request, reply) => handlers?.plan() ?? reply.code(503).send(STARTING))
  server.get('/v1/evictions', async (_request, reply) => handlers?.evictions() ?? reply.code(503).send(STARTING))
  server.post('/v1/evict', async ({ body }, reply) => {
    const request = evictRequest.safeParse(body)
    if (!request.success) return reply.code(400).send({ statusCode: 400, error: 'Bad Request', message: 'not an eviction' })
    return handlers?.evict(Uint8Array.from(Buffer.from(request.data.eviction, 'base64'))) ?? reply.code(503).send(STARTING)
  })
  const meaning = { what: 'the control socket', flag: `--control ${path}` }
  const withdraw = await listenAlone(path, meaning, async (reachable) => server.listen({ path: reachable }))
  return {
    serve: (given) => {
      handlers = given
    },
    close: async () => {
      withdraw()
      await server.close()
    },
  }
}
