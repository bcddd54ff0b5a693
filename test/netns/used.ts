import { readFile } from 'node:fs/promises'

/** What a process has used: seconds of a processor, and megabytes it has in memory. */
export async function used(pid: number): Promise<{ readonly cpu: number; readonly megabytes: number }> {
  const fields = (await readFile(`/proc/${String(pid)}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ')
  return { cpu: (Number(fields[11]) + Number(fields[12])) / 100, megabytes: Number(fields[21]) / 256 }
}
