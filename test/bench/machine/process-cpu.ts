import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts CPU time in hundredths of a second (USER_HZ) on every machine that Node runs on. */
const TICKS_PER_SECOND = 100;

interface ProcessTimes {
  pid: number;
  parent: number;
  /** CPU time of the process and of its children that have ended. */
  ticks: number;
}

/** CPU seconds that a process and everything below it have used so far; null where there is no /proc. */
export function cpuSecondsOf(pid: number): number | null {
  const all = processes();
  if (!all.some((one) => one.pid === pid)) return null;
  const below = (parent: number): number =>
    all.filter((one) => one.parent === parent).reduce((sum, one) => sum + one.ticks + below(one.pid), 0);
  return ((all.find((one) => one.pid === pid)?.ticks ?? 0) + below(pid)) / TICKS_PER_SECOND;
}

function processes(): ProcessTimes[] {
  let names: string[];
  try {
    names = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    try {
      // proc_pid_stat(5): the name in parentheses may contain blanks, so fields are counted after it.
      const text = readFileSync(`/proc/${name}/stat`, 'utf8');
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
      const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
      return [{ pid: Number(name), parent: Number(fields[1]), ticks }];
    } catch {
      // The process has ended meanwhile.
      return [];
    }
  });
}
