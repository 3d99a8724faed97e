import { type Endpoint, seen } from '../facts';
import { type Cause, type Finding } from '../finding';
import { type Check } from './check';

/** How often a process may have been started again without being in a loop. */
const MANY_RESTARTS = 3;

/** What the absence of one process explains in others. */
function explainedBy(name: string): Cause[] {
  const causes: Record<string, Cause[]> = {
    postgres: ['postgres'],
    kafka: ['kafka'],
    s3: ['archive'],
    openbao: ['openbao', 'signing'],
    'signing-proxy': ['signing'],
  };
  return [`process:${name}`, ...(causes[name] ?? [])];
}

const neverStopped: Check = {
  name: 'run',
  look(facts) {
    const run = seen(facts.run);
    if (run === undefined) return [];
    const incomplete = run.missing.map((what): Finding => ({
      code: 'state_incomplete',
      severity: 'critical',
      what,
      where: run.state,
      action:
        'Put the file back from where it is kept; without it the chain cannot go on after the next start.',
      runbook: 'restore-drill.md',
    }));
    if (run.supervised) return incomplete;
    const left = run.services.filter(({ pid }) => pid !== null).map(({ name }) => name);
    return [
      ...incomplete,
      {
        code: 'not_running',
        severity: 'critical',
        what:
          left.length === 0
            ? 'The kernel is not running.'
            : `The supervisor is gone, and ${left.join(', ')} still run without it.`,
        where: run.state,
        action:
          left.length === 0
            ? `./kernel up --detach --state ${run.state}`
            : `./kernel down --state ${run.state}, then ./kernel up --detach --state ${run.state}`,
      },
    ];
  },
};

const restarting: Check = {
  name: 'restarts',
  look(facts) {
    const run = seen(facts.run);
    if (run?.supervised !== true) return [];
    return run.services.flatMap(({ name, state, pid, restarts }): Finding[] => {
      // One that runs again may be well by now: /ready tells.
      if (pid !== null) return [];
      const inLoop = restarts >= MANY_RESTARTS;
      const log = `${run.state}/logs/${name}.log`;
      return [
        {
          code: inLoop ? 'process_restarting' : 'process_down',
          severity: 'critical',
          what: inLoop
            ? `${name} ends again and again: it was started ${restarts} times and does not run (${state}).`
            : `${name} does not run (${state}).`,
          where: name,
          action: `The end of ${log} says why; correct that, and it comes back by itself.`,
          explains: explainedBy(name),
          effectOf: [
            `port:${name}`,
            'disk',
            'certificates',
            ...(name === 'postgres' ? [] : (['postgres'] as const)),
          ],
        },
      ];
    });
  },
};

const silent: Check = {
  name: 'answers',
  look(facts) {
    return (seen(facts.endpoints) ?? [])
      .filter(({ health }) => health.status !== 200)
      .map(({ name, url, health }): Finding => ({
        code: 'process_silent',
        severity: 'critical',
        what: `${name} does not answer on its management address (${health.status === 0 ? health.text : `HTTP ${health.status}`}).`,
        where: url,
        action: `See whether it runs and whether it hangs: ./kernel status, its log; end it, and its supervisor starts it again.`,
        explains: explainedBy(name),
        effectOf: [`process:${name}`, `port:${name}`, 'disk'],
      }));
  },
};

/** What a failing check of /ready suffers from, the nearest first. */
const CHECKS: Record<string, readonly Cause[]> = {
  disk: ['disk'],
  postgres: ['postgres', 'schema', 'disk'],
  stream: ['kafka', 'postgres', 'process:kafka'],
  archive: ['archive', 'disk'],
  clock: ['clock'],
  mode: ['mode'],
  signing_proxy: ['openbao', 'signing', 'process:signing-proxy', 'postgres'],
  'signing backends': ['openbao', 'signing'],
  'high-water marks': ['disk'],
  shards: ['integrity', 'archive', 'kafka', 'postgres', 'openbao', 'signing', 'schema'],
  log: ['openbao', 'signing', 'archive', 'postgres'],
  day_manifests: ['openbao', 'signing', 'archive', 'postgres'],
  last_audit: ['audit', 'archive', 'postgres', 'openbao', 'signing'],
};

const unready: Check = {
  name: 'ready',
  look(facts) {
    return (seen(facts.endpoints) ?? [])
      .filter(({ health, ready }) => health.status === 200 && ready.status !== 200)
      .flatMap(unreadyFindings);
  },
};

function unreadyFindings({ name, url, ready, failing }: Endpoint): Finding[] {
  const entries = Object.entries(failing);
  const where = `${url}/ready`;
  if (entries.length === 0) {
    const why = ready.status === 0 ? ready.text : `HTTP ${ready.status}`;
    return [
      {
        code: 'not_ready',
        severity: 'critical',
        what: `${name} is not ready (${why}).`,
        where,
        action: `See the end of its log.`,
        effectOf: ['postgres', 'archive', 'kafka', 'disk', 'signing'],
      },
    ];
  }
  return entries.map(([check, message]): Finding => {
    const signing = name === 'signing-proxy' && check === 'signing backends';
    return {
      code: signing ? 'signing_backend_failing' : 'not_ready',
      severity: 'critical',
      what: signing
        ? `The signing proxy cannot use its keys: ${message}`
        : `${name} is not ready, ${check}: ${message}`,
      where,
      action: signing
        ? 'See whether the HSM, KMS or transit engine answers and is unsealed, and whether the credentials for it are valid.'
        : (ACTIONS[check] ?? `See the log of ${name}.`),
      ...(signing ? { explains: ['signing'] as const } : {}),
      ...(check === 'clock' ? { explains: ['clock'] as const, runbook: 'clock-jumped.md' } : {}),
      effectOf: (CHECKS[check] ?? ['postgres', 'disk']).filter(
        (cause) => !(check === 'clock' && cause === 'clock'),
      ),
    };
  });
}

const ACTIONS: Record<string, string> = {
  postgres: './kernel migrate --check says what the database lacks; ./kernel migrate brings it about.',
  stream:
    'See whether the brokers answer from where this process runs, and whether its credentials are valid.',
  archive: 'See whether the bucket or folder can be reached and written to from where this process runs.',
  clock: 'Compare date -u here and on the database server with a third clock, and set the one that is wrong.',
  mode: './kernel mode says why; the restore has to end first.',
  signing_proxy: 'See the readiness of the signing proxy and of its backend.',
  shards: './kernel audit verify says what is wrong with the chain, if it is the chain.',
  log: 'See the log of the log publisher, and whether it may sign checkpoints.',
  last_audit: './kernel audit runs shows the newest audits; ./kernel audit run runs one now.',
};

const ports: Check = {
  name: 'ports',
  look: (facts) =>
    (seen(facts.ports) ?? [])
      .filter(({ taken }) => taken)
      .map(({ port, purpose }): Finding => ({
        code: 'port_taken',
        severity: 'critical',
        what: `Port ${port}, which ${purpose} needs, is taken by another process.`,
        where: `127.0.0.1:${port}`,
        action: `Find it with ss -ltnp 'sport = :${port}' and end it, or choose other ports with ./kernel up --port-base.`,
        explains: [`port:${purpose}`],
      })),
};

const versions: Check = {
  name: 'versions',
  look(facts) {
    const program = seen(facts.program);
    if (program === undefined) return [];
    const findings: Finding[] = [];
    const least = /(\d+)\.(\d+)/.exec(program.leastNode);
    const own = /^(\d+)\.(\d+)/.exec(program.node);
    if (least !== null && own !== null && number(own) < number(least)) {
      findings.push({
        code: 'node_too_old',
        severity: 'warning',
        what: `This is Node.js ${program.node}; ${program.leastNode} is needed.`,
        where: 'node',
        action: 'Install Node.js 24.9 or newer and start the kernel with it.',
      });
    }
    const running = new Map<string, string[]>();
    for (const { name, metrics } of seen(facts.endpoints) ?? []) {
      const version = metrics?.get('nodejs_version_info')?.[0]?.labels['version'];
      if (version !== undefined) running.set(version, [...(running.get(version) ?? []), name]);
    }
    if (running.size > 1) {
      const listed = [...running].map(([version, names]) => `${version}: ${names.join(', ')}`).join('; ');
      findings.push({
        code: 'node_versions_differ',
        severity: 'warning',
        what: `The processes run with different versions of Node.js (${listed}).`,
        where: 'processes',
        action: 'Finish the upgrade; start those of the older version again from the new image.',
      });
    }
    if (program.build?.movedOn === true) {
      findings.push({
        code: 'build_older_than_sources',
        severity: 'warning',
        what: `The processes run the build ${program.build.digest}, and the sources have changed since.`,
        where: 'build',
        action: './kernel down, then ./kernel up --detach, switch to what the checkout is now.',
      });
    }
    return findings;
  },
};

function number([, major, minor]: RegExpExecArray): number {
  return Number(major) * 1000 + Number(minor);
}

export const PROCESS_CHECKS: readonly Check[] = [neverStopped, ports, restarting, silent, unready, versions];
