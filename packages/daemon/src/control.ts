/** The daemon's side of the control socket: HTTP on a unix socket of mode 0600, so that curl can read it as well. */
import { fastify } from 'fastify'
import { listenAlone } from './exclusive.ts'
import type { LeaveReport, StatusReport } from './answers.ts'

type ControlHandlers = {
  status(): Promise<StatusReport>
  leave(): Promise<LeaveReport>
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
