export { runCli } from './cli.ts'
export { statusAnswer, type MemberRow, type StatusReport } from './answers.ts'
export { exportFiles, writeExport } from './export.ts'
