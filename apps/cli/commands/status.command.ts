import { resolve } from 'node:path';
import { type Command } from 'commander';
import { diskProblem } from '#platform/process';
import {
  type BuildRecord,
  isRunning,
  movedOnSince,
  portsFrom,
  probe,
  readinessProblem,
  readRun,
  StateFolder,
} from '#dev/devstack';
import { describeBuild } from '../output/describe-build';
import { print, table } from '../output/print';
import { defaultState } from '../default-state';
import { managementOf, processesOf } from '../stack-processes';

interface Status {
  state: string;
  running: boolean;
  ready: boolean;
  /** Why it is not ready, when it runs. */
  reason?: string;
  /** Why nothing can be written into the folder for want of room; whether or not it runs. */
  disk?: string;
  origin?: string;
  signer?: string;
  shards?: number;
  stream?: string;
  archive?: string;
  /** The build that its processes run, and whether the sources have changed since. */
  build?: BuildRecord & { folder: string; movedOn: boolean };
  supervisor?: { pid: number; startedAt: string };
  services?: { name: string; state: string; pid: number | null; restarts: number; url: string }[];
}

export function addStatus(program: Command): void {
  program
    .command('status')
    .summary('what runs, where, and whether it is ready')
    .description('Shows the kernel of a state folder. The exit code is 0 when it is ready, 1 when not.')
    .option('--state <dir>', 'the state folder (default: .kernel)')
    .option('--json', 'print it as JSON')
    .action(async (options: { state?: string; json?: true }) => {
      const status = await statusOf(resolve(options.state ?? defaultState()));
      if (options.json === true) {
        print(JSON.stringify(status, null, 2));
      } else {
        for (const line of describe(status)) print(line);
        print(verdict(status), status.ready ? 'good' : 'bad');
      }
      process.exitCode = status.ready ? 0 : 1;
    });
}

async function statusOf(dir: string): Promise<Status> {
  const folder = await StateFolder.find(dir);
  if (folder === undefined) return { state: dir, running: false, ready: false };
  const { origin, signer, shards, stream, archive, portBase } = folder.record;
  const disk = await diskProblem(dir);
  const known = {
    ...{ state: dir, origin, signer, shards, stream, archive },
    ...(disk === null ? {} : { disk }),
  };
  const run = readRun(dir);
  const supervised = run !== undefined && isRunning(run.supervisor);
  const ports = portsFrom(portBase);
  const services = processesOf(run, ports);
  if (!supervised) return { ...known, running: false, ready: false, services };
  const problems = await Promise.all(
    managementOf(ports).map(async ({ name, url }) => {
      const answer = await probe(`${url}/ready`);
      return answer.status === 200 ? [] : [`${name}: ${readinessProblem(answer)}`];
    }),
  );
  // The processes that answer say the same; on a full disk perhaps none of them does.
  const found = problems.flat().filter((problem) => disk === null || !problem.includes(disk));
  const reason = [...(disk === null ? [] : [disk.replace(/\.$/, '')]), ...found].join('; ');
  return {
    ...known,
    running: true,
    ready: reason === '',
    ...(reason === '' ? {} : { reason }),
    ...(run.build === undefined ? {} : { build: { ...run.build, movedOn: await movedOnSince(run.build) } }),
    supervisor: { pid: run.supervisor.pid, startedAt: run.startedAt },
    services,
  };
}

/** Whether it is ready, in a sentence. */
function verdict(status: Status): string {
  const { origin, state, running, ready, reason, disk, services = [] } = status;
  if (origin === undefined) return `Not running: there is no kernel in ${state}.`;
  if (running) return ready ? 'Ready.' : `Not ready: ${reason}.`;
  const left = services.filter(({ pid }) => pid !== null);
  if (left.length === 0) return `Not running.${disk === undefined ? '' : ` ${disk}`}`;
  const names = left.map(({ name, pid }) => `${name} (process ${pid})`).join(', ');
  return `The supervisor is gone but ${names} still runs; ./kernel down ends it.`;
}

/** What there is, before the verdict. */
function describe(status: Status): string[] {
  if (status.origin === undefined) return [];
  const lines = [
    `state   ${status.state}`,
    `origin  ${status.origin} (${status.signer} signer, ${status.shards} ${status.shards === 1 ? 'shard' : 'shards'}, ${status.stream} stream, ${status.archive} archive)`,
  ];
  if (!status.running) return lines;
  const rows = (status.services ?? []).map(({ name, state, pid, restarts, url }) => ({
    process: name,
    state,
    // Numbers in a table are grouped; a process id is a name.
    pid: pid === null ? '-' : String(pid),
    restarts,
    url,
  }));
  if (status.build !== undefined) {
    lines.push(`build   ${describeBuild(status.build)}`);
    if (status.build.movedOn) {
      lines.push('        The checkout has moved on since; ./kernel down and up switch to what it is now.');
    }
  }
  lines.push(
    `since   ${status.supervisor?.startedAt} (supervisor process ${status.supervisor?.pid})`,
    '',
    table(rows),
    '',
  );
  return lines;
}
