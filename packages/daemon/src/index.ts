export { runCli } from './cli.ts'
export type { LeaveReport } from './control.ts'
export type { MemberRow, StatusReport, TunnelRow } from './status.ts'
