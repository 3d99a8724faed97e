import { type Command } from 'commander';
import {
  type Agent,
  type AgentNow,
  type AgentPage,
  type Eval,
  type EvalAnswer,
  type EvalPage,
} from '#openapi/kernel';
import { CliError } from '../cli.error';
import { print, table } from '../output/print';
import { shown } from '../output/shown';
import {
  type CallOptions,
  documentText,
  get,
  numberOf,
  post,
  reading,
  withQuery,
  withReason,
  writing,
} from './api-calls';
import { dangerous, type DangerOptions, mayGoOn } from './dangerous';

interface SpawnOptions extends CallOptions {
  division: string;
  template?: string;
  envelope?: string;
  auditId?: string;
  id?: string;
  role?: string;
  skill?: string[];
  codeRef?: string;
  owner?: string;
}

/** The verb, the state that it leads to, and what it does in a word. */
const LIFE = [
  ['start', 'running', 'Starts'],
  ['pause', 'paused', 'Pauses'],
  ['resume', 'running', 'Resumes'],
  ['stop', 'stopped', 'Stops'],
  ['fail', 'failed', 'Records the failure of'],
  ['retire', 'retired', 'Permanently retires'],
] as const;

/** Agents: spawn, show, change their state, evaluate. */
export function addAgent(program: Command): void {
  const agent = program.command('agent').summary('agents of a division: spawn, show, start, stop, evaluate');

  writing(agent.command('spawn'))
    .description(
      'Spawns an agent from a template that this kernel has signed: its manifest with the envelope that `sign --out` wrote, or with the audit id of its signature, or that alone.',
    )
    .requiredOption('--division <id>', 'the division that it belongs to')
    .option('--template <file>', "the template's manifest, JSON")
    .option('--envelope <file>', 'the DSSE envelope of its signature')
    .option('--audit-id <id>', 'the event that recorded its signature')
    .option('--id <id>', 'id of the agent (default: a new one)')
    .option('--role <text>', 'what it is for')
    .option('--skill <text...>', 'what it can do')
    .option('--code-ref <ref>', 'where its code is')
    .option('--owner <name>', 'who answers for it')
    .action(async (options: SpawnOptions) => {
      const answer = await post(options, '/kernel/agent', await spawnBody(options));
      print(options.json === true ? answer : describe(shown<Agent>(answer)));
    });

  reading(agent.command('list'))
    .description('Lists agents, newest first.')
    .option('--division <id>', 'those of one division')
    .option('--limit <n>', 'how many', '20')
    .action(async (options: CallOptions & { division?: string; limit: string }) => {
      const { division: divisionId, limit } = options;
      const answer = await get(options, withQuery('/kernel/agent', { divisionId, limit }));
      if (options.json === true) return print(answer);
      const { agents } = shown<AgentPage>(answer);
      const rows = agents.map(({ id, divisionId: division, state, since, role }) => ({
        id,
        division,
        state,
        since,
        role: role ?? '',
      }));
      print(rows.length === 0 ? 'There are no agents.' : table(rows));
    });

  reading(agent.command('show'))
    .description('Shows an agent: its state, the states it can go to, its latest evaluations, what it holds.')
    .argument('<id>', 'the agent')
    .action(async (id: string, options: CallOptions) => {
      const answer = await get(options, `/kernel/agent/${encodeURIComponent(id)}/state`);
      print(options.json === true ? answer : describeNow(shown<AgentNow>(answer)));
    });

  for (const [verb, state, words] of LIFE) {
    const command = withReason(writing(agent.command(verb)));
    (verb === 'retire' ? dangerous(command) : command)
      .description(`${words} an agent.`)
      .argument('<id>', 'the agent')
      .action(async (id: string, options: CallOptions & DangerOptions & { reason: string }) => {
        const effects = [`The agent ${id} is retired for ever, and gives back what it holds.`];
        if (verb === 'retire' && !(await mayGoOn(options, effects))) return;
        const path = `/kernel/agent/${encodeURIComponent(id)}/state`;
        const answer = await post(options, path, JSON.stringify({ state, reason: options.reason }));
        print(options.json === true ? answer : describe(shown<Agent>(answer)));
      });
  }

  writing(agent.command('evaluate'))
    .description('Records how an agent did.')
    .argument('<id>', 'the agent')
    .requiredOption(
      '--metric <name=value...>',
      'what was measured; a value is a number, true, false, or a text',
    )
    .option('--score <number>', 'one figure for all of it')
    .option('--source <name>', 'what measured it')
    .option('--notes <text>', 'remarks')
    .action(
      async (
        agentId: string,
        options: CallOptions & { metric: string[]; score?: string; source?: string; notes?: string },
      ) => {
        const { metric, source, notes } = options;
        const score = options.score === undefined ? undefined : numberOf('--score', options.score);
        const body = { agentId, metricSet: metricsOf(metric), score, source, notes };
        const answer = await post(options, '/kernel/eval', JSON.stringify(body));
        if (options.json === true) return print(answer);
        const { eval_id: id, position } = shown<EvalAnswer>(answer);
        print(`Recorded evaluation ${id} at ${position}.`);
      },
    );

  reading(agent.command('evals'))
    .description('Lists evaluations, newest first.')
    .option('--agent <id>', 'those of one agent')
    .option('--division <id>', 'those of one division')
    .option('--limit <n>', 'how many', '20')
    .action(async (options: CallOptions & { agent?: string; division?: string; limit: string }) => {
      const { agent: agentId, division: divisionId, limit } = options;
      const answer = await get(options, withQuery('/kernel/eval', { agentId, divisionId, limit }));
      if (options.json === true) return print(answer);
      const { evals } = shown<EvalPage>(answer);
      print(evals.length === 0 ? 'There are no evaluations.' : table(evals.map(evalRow)));
    });
}

async function spawnBody(options: SpawnOptions): Promise<string> {
  const { division, template, envelope, auditId, id, role, skill, codeRef, owner } = options;
  if (auditId === undefined && (template === undefined || envelope === undefined)) {
    throw new CliError(
      'wrong_usage',
      'Name the template: --template with --envelope or --audit-id, or --audit-id.',
    );
  }
  const source = [
    ...(template === undefined ? [] : [`"manifest":${await documentText(template, 'spawned from')}`]),
    ...(envelope === undefined
      ? []
      : [`"envelope":${await documentText(envelope, 'taken for an envelope')}`]),
    ...(auditId === undefined ? [] : [`"auditId":${JSON.stringify(auditId)}`]),
  ];
  const profile = JSON.stringify({ divisionId: division, id, role, skills: skill, codeRef, owner });
  // The manifest is sent as it was written.
  return `${profile.slice(0, -1)},"template":{${source.join(',')}}}`;
}

function metricsOf(metrics: readonly string[]): Record<string, number | boolean | string> {
  return Object.fromEntries(
    metrics.map((metric) => {
      const cut = metric.indexOf('=');
      if (cut < 1) throw new CliError('wrong_usage', `--metric takes name=value, not "${metric}".`);
      return [metric.slice(0, cut), metricValue(metric.slice(cut + 1))];
    }),
  );
}

function metricValue(value: string): number | boolean | string {
  if (value === 'true' || value === 'false') return value === 'true';
  const number = Number(value);
  return value.trim() !== '' && Number.isFinite(number) ? number : value;
}

function describe(agent: Agent): string {
  const { template } = agent;
  return [
    `${agent.id} of ${agent.divisionId} is ${agent.state} since ${agent.since}`,
    ...(agent.reason === null ? [] : [`  reason    ${agent.reason}`]),
    ...(agent.role === null ? [] : [`  role      ${agent.role}`]),
    `  template  ${template.manifestId} ${template.version}`,
    `  spawned   by ${agent.spawnedBy} at ${agent.spawnedAt}`,
    `  can be    ${agent.allowed.join(', ') || 'nothing else any more'}`,
  ].join('\n');
}

function describeNow({ agent, score, evals, allocations }: AgentNow): string {
  return [
    describe(agent),
    `  score     ${score ?? 'none'}`,
    `  holds     ${allocations.map(({ pool, held }) => `${held} of ${pool}`).join(', ') || 'nothing'}`,
    ...(evals.length === 0 ? [] : ['', table(evals.map(evalRow))]),
  ].join('\n');
}

function evalRow({ submittedAt, id, agentId, score, source, metricSet }: Eval) {
  return {
    at: submittedAt,
    id,
    agent: agentId,
    score: score === null ? '' : String(score),
    source: source ?? '',
    metrics: Object.entries(metricSet)
      .map(([name, value]) => `${name}=${String(value)}`)
      .join(' '),
  };
}
