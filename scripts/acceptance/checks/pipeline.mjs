import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expectStatus } from '../callers.mjs';
import { verifyOffline } from '../verifier.mjs';
import { must, notChecked } from '../verdicts.mjs';
import { trustRoot, written } from './signing.mjs';

const STAGES = ['published', 'indexed', 'archived'];
const ASK_EVERY_MS = 250;

function appendedOf({ shown }) {
  must(shown.appended !== undefined, 'there is no event to look for: see POST /kernel/audit');
  return shown.appended;
}

/** Position of a shard that each stage has, by the pipeline's own account. */
async function stagesOf(operator, shard) {
  const answer = expectStatus(await operator.get('/kernel/audit/pipeline'), 200, '/kernel/audit/pipeline');
  const found = answer.json.shards.find((one) => one.shard === shard);
  return Object.fromEntries((found?.stages ?? []).map(({ stage, seq }) => [stage, seq]));
}

/** Waits for a stage until the deadline that all stages share, and says how far it is. */
async function reached({ callers: { operator }, shown }, stage) {
  const { shard, seq, deadline } = shown.appended;
  for (;;) {
    const at = (await stagesOf(operator, shard))[stage];
    if (at !== undefined && at >= seq) return at;
    must(
      Date.now() < deadline,
      at === undefined
        ? `nothing of shard ${shard} was ever ${stage}`
        : `${stage} up to ${shard}:${at} only, the event is ${shard}:${seq}`,
    );
    await sleep(ASK_EVERY_MS);
  }
}

const stageCheck = (stage, evidence) => ({
  criterion: 2,
  name: stage,
  async run(context) {
    appendedOf(context);
    return evidence(context.shown.appended, await reached(context, stage));
  },
});

/** Heads as they were before the export was read: it must have all of this. */
async function headsOf(operator) {
  const { json } = expectStatus(await operator.get('/kernel/audit/head'), 200, '/kernel/audit/head');
  must(json.length > 0, 'there is no shard');
  return json;
}

export const pipelineChecks = [
  {
    criterion: 2,
    name: 'POST /kernel/audit',
    async run({ callers: { operator }, options, shown }) {
      const event = { type: 'acceptance.run', payload: { url: options.url } };
      const { json } = expectStatus(await operator.post('/kernel/audit', event), 201, '/kernel/audit');
      const [{ id, shard, seq }] = json.events;
      shown.appended = { id, shard, seq, deadline: Date.now() + options.waitSeconds * 1_000 };
      return `event ${id} at ${json.position}`;
    },
  },
  stageCheck(
    'published',
    ({ shard, seq }, at) => `the relay has published ${shard}:${at}, the event is ${shard}:${seq}`,
  ),
  {
    criterion: 2,
    name: STAGES[1],
    async run(context) {
      const { id, shard, seq } = appendedOf(context);
      await reached(context, 'indexed');
      const answer = expectStatus(
        await context.callers.operator.get('/kernel/audit?type=acceptance.run&order=newest&limit=100', {
          headers: { 'kernel-min-position': `${shard}:${seq}` },
        }),
        200,
        '/kernel/audit',
      );
      must(
        answer.json.events.some((event) => event.id === id),
        `the index does not list the event ${id}`,
      );
      return `GET /kernel/audit lists ${id} at position ${shard}:${seq}`;
    },
  },
  stageCheck(
    'archived',
    ({ shard, seq }, at) => `the archiver has ${shard}:${at}, the event is ${shard}:${seq}`,
  ),
  {
    criterion: 2,
    name: 'Kernel-Await: archived',
    async run({ callers: { operator }, options }) {
      const event = { type: 'acceptance.run', payload: { url: options.url, awaited: true } };
      const answer = await operator.post('/kernel/audit', event, {
        headers: { 'kernel-await': 'archived', prefer: `wait=${options.waitSeconds}` },
        timeoutMs: (options.waitSeconds + 30) * 1_000,
      });
      must(answer.status !== 202, `${answer.json.position} was not archived while the kernel waited (202)`);
      return `201 for ${expectStatus(answer, 201, '/kernel/audit').json.position}`;
    },
  },
  {
    criterion: 2,
    name: 'chain verifies offline',
    async run(context) {
      const { callers, options, folder } = context;
      const heads = await headsOf(callers.operator);
      const file = join(folder, 'export.ndjson');
      const query = options.from === 1 ? '' : `?fromSeq=${options.from}`;
      expectStatus(await callers.operator.get(`/kernel/audit/export${query}`, { file }), 200, 'the export');
      const { file: signers, whose } = await trustRoot(context);
      const args = [
        '--signers',
        signers,
        '--export',
        file,
        '--expect-head',
        written(folder, 'heads.json', heads),
      ];
      if (options.from > 1) args.push('--from', String(options.from));
      const { code, said } = await verifyOffline(args, options.environment);
      must(code === 0, `tools/audit-verify.js by ${whose}: ${said}`);
      return `by ${whose}: ${said}`;
    },
  },
  {
    criterion: 2,
    name: 'archive verifies offline',
    async run(context) {
      const { options, callers } = context;
      if (options.archive === undefined) notChecked('neither --archive-dir nor --s3 is given');
      const { id, shard, seq } = appendedOf(context);
      const { json: event } = expectStatus(
        await callers.operator.get(`/kernel/audit/${id}`),
        200,
        'the event',
      );
      const { file: signers, whose } = await trustRoot(context);
      const args = [
        '--signers',
        signers,
        ...options.archive,
        '--expect-head',
        `${shard}:${seq}:${event.hash}`,
      ];
      if (options.from > 1) args.push('--from', String(options.from));
      const { code, said } = await verifyOffline(args, options.environment);
      must(code === 0, `tools/audit-verify.js ${options.archive.join(' ')} by ${whose}: ${said}`);
      return `with the event ${shard}:${seq}: ${said}`;
    },
  },
];
