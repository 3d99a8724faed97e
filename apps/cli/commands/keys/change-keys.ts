import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Argument, type Command, Option } from 'commander';
import { parseSignersFile } from '#evidence';
import {
  type CompromisedKey,
  type KeyCandidates,
  type KeyPurpose,
  type MadeKey,
  type RotatedKey,
  type UpgradeWithTimeline,
} from '#openapi/kernel';
import { type ConnectionOptions, withConnectionOptions } from '../../api/connection';
import { KernelApiClient } from '../../api/kernel-api.client';
import { CliError } from '../../cli.error';
import { print, say, table } from '../../output/print';
import { withClient } from '../api-calls';
import { dangerous, type DangerOptions, mayGoOn } from '../dangerous';
import { verifyChain } from '../audit/audit-verify';
import { EventsInDoubt } from './events-in-doubt';
import { updateSignersFile } from './signers-file';
import { sinceOf } from './since';

const PURPOSES = ['audit', 'manifest', 'checkpoint'] as const;
/** How often an upgrade that waits for its quorum is polled. */
const POLL_MS = 1_000;
const DEFAULT_WAIT_MINUTES = 60;
const KID_OPTION = 'its name (default: the next of the series, v2 after v1)';

type FileOptions = ConnectionOptions & DangerOptions & { out?: string; verify: boolean };

/** Changes of the registry: rotate, retire, compromise. */
export function addKeyChanges(keys: Command): void {
  withConnectionOptions(keys.command('candidates'))
    .description(
      'Lists the keys that the signing proxy holds and that were never registered: what can be rotated to.',
    )
    .option('--json', "print the kernel's answer as it came")
    .action(async (options: ConnectionOptions & { json?: true }) => {
      const answer = await withClient(options, (kernel) => kernel.get('/kernel/keys/candidates'));
      if (options.json === true) return print(answer);
      const found = JSON.parse(answer) as KeyCandidates;
      const rows = found.candidates.map(({ signer_kid, purposes }) => ({
        kid: signer_kid,
        purposes: purposes.join(','),
        'in the place of': purposes.map((purpose) => found.inForce[purpose] ?? '-').join(','),
      }));
      print(rows.length === 0 ? 'The signing proxy holds no key that is new.' : table(rows));
    });

  withConnectionOptions(keys.command('create'), 'superadmin')
    .description(
      [
        'Has the signing proxy make a key, for all that the one in force is for: to rotate to later, or to keep for the day',
        'on which one is lost. It signs nothing until it is registered. Where keys are made by an operator it says how.',
      ].join(' '),
    )
    .addOption(purposeOption())
    .option('--kid <name>', KID_OPTION)
    .option('--json', 'print it as JSON')
    .action(async (options: ConnectionOptions & { purpose: KeyPurpose; kid?: string; json?: true }) => {
      const made = await withClient(options, (kernel) => makeKey(kernel, options));
      print(options.json === true ? JSON.stringify(made) : describeMade(made));
    });

  dangerous(withFileOptions(keys.command('rotate'), 'superadmin'))
    .description(
      [
        'Replaces the key in force with a new one: one that the signing proxy holds, or with --create one that it',
        'makes now. Where the kernel allows it (KERNEL_DIRECT_KEY_ROTATION) at once; else by an upgrade that is',
        'proposed here, waits for its approvers, and is applied by itself. Ends with signers.json brought up to date',
        'and the chain verified with it.',
      ].join(' '),
    )
    .addOption(purposeOption())
    .addOption(
      new Option(
        '--to <kid>',
        'the new key (default: the first of ./kernel keys candidates that fits)',
      ).conflicts('create'),
    )
    .option('--create', 'have the signing proxy make the new key')
    .option('--kid <name>', `with --create: ${KID_OPTION}`)
    .option('--rationale <text>', 'why; for the approvers')
    .option('--minutes <n>', 'how long to wait for the approvers', String(DEFAULT_WAIT_MINUTES))
    .action(
      async (
        options: FileOptions & {
          purpose: KeyPurpose;
          to?: string;
          create?: true;
          kid?: string;
          rationale?: string;
          minutes: string;
        },
      ) => {
        if (options.kid !== undefined && options.create !== true) {
          throw new CliError(
            'wrong_usage',
            '--kid names the key that --create makes; --to names an existing one.',
          );
        }
        const effects = await withClient(options, (kernel) => effectsOfRotation(kernel, options));
        if (!(await mayGoOn(options, effects))) return;
        const { from, to } = await withClient(options, async (kernel) => {
          if (options.create !== true) return rotate(kernel, options);
          const made = await makeKey(kernel, options);
          say(describeMade(made));
          return rotate(kernel, { ...options, to: made.signer_kid });
        });
        say(`${to} signs in the place of ${from}, which stays valid until ./kernel keys retire ${from}`);
        if (options.json === true) print(JSON.stringify({ from, to }));
        await conclude(options);
      },
    );

  dangerous(withFileOptions(keys.command('retire'), 'superadmin'))
    .description(
      'Retires a key that another one has replaced, once every process has had time to change over.',
    )
    .addArgument(new Argument('<kid>', 'the old key'))
    .option('--reason <text>', 'why; goes into the chain', 'rotated')
    .action(async (kid: string, options: FileOptions & { reason: string }) => {
      const effects = [
        `${kid} signs nothing any more and never comes back; what it signed stays valid.`,
        'A process that has not changed over to the new key yet fails until it has.',
      ];
      if (!(await mayGoOn(options, effects))) return;
      const answer = await withClient(options, (kernel) =>
        kernel.post(
          `/kernel/keys/${encodeURIComponent(kid)}/retire`,
          JSON.stringify({ reason: options.reason }),
        ),
      );
      say(`${kid} is retired`);
      if (options.json === true) print(answer);
      await conclude(options);
    });

  dangerous(withFileOptions(keys.command('compromise'), 'superadmin'))
    .description(
      [
        'Cuts off a key that others may have, in one step: no writes while it lasts (of an audit key), another key in its',
        'place, and a statement in the chain of what it signed since then and the kernel stands by. If it fails half way,',
        'run it again. Ends with signers.json brought up to date and the chain verified with it. See',
        'runbooks/key-compromise.md.',
      ].join(' '),
    )
    .addArgument(new Argument('<kid>', 'the key'))
    .requiredOption(
      '--since <where>',
      'since when others may have had it: SHARD:SEQ, SEQ (of shard 0), or a time',
    )
    .requiredOption('--reason <text>', 'what is known; goes into the chain')
    .option(
      '--emergency <kid>',
      'the key in its place (default: the first of ./kernel keys candidates that fits)',
    )
    .option('--stay-read-only', 'leave the kernel read-only afterwards')
    .option('--list <file>', 'write the events in doubt to FILE, one a line')
    .action(
      async (
        kid: string,
        options: FileOptions & {
          since: string;
          reason: string;
          emergency?: string;
          stayReadOnly?: true;
          list?: string;
        },
      ) => {
        const body = JSON.stringify({
          since: sinceOf(options.since),
          reason: options.reason,
          ...(options.emergency !== undefined && { emergencyKid: options.emergency }),
          ...(options.stayReadOnly === true && { stayReadOnly: true }),
        });
        const effects = [
          `${kid} is cut off at once and for ever: nothing that it signed from ${options.since} on counts by itself.`,
          `${options.emergency ?? 'The first candidate that fits'} signs in its place; writes wait meanwhile${options.stayReadOnly === true ? ', and the kernel stays read-only' : ''}.`,
        ];
        if (!(await mayGoOn(options, effects))) return;
        const list = options.list === undefined ? null : await EventsInDoubt.open(resolve(options.list));
        try {
          await withClient(options, async (kernel) => {
            const path = `/kernel/keys/${encodeURIComponent(kid)}/compromise`;
            const answer = await kernel.post(path, body);
            const done = JSON.parse(answer) as CompromisedKey;
            print(options.json === true ? answer : describe(done));
            if (list !== null) await listDoubtful(kernel, done, list);
          });
        } finally {
          await list?.close();
        }
        await conclude(options);
      },
    );
}

async function makeKey(
  kernel: KernelApiClient,
  { purpose, kid }: { purpose: KeyPurpose; kid?: string },
): Promise<MadeKey> {
  const body = JSON.stringify({ purpose, ...(kid !== undefined && { kid }) });
  return JSON.parse(await kernel.post('/kernel/keys/candidates', body)) as MadeKey;
}

function describeMade({ signer_kid, purposes, position }: MadeKey): string {
  return `The signing proxy holds the new key ${signer_kid} for ${purposes.join(' and ')} (recorded at ${position}).`;
}

async function rotate(
  kernel: KernelApiClient,
  options: { purpose: KeyPurpose; to?: string; rationale?: string; minutes: string },
): Promise<{ from: string; to: string }> {
  const { purpose } = options;
  const { candidates, inForce, directRotation } =
    await kernel.getJson<KeyCandidates>('/kernel/keys/candidates');
  const from = inForce[purpose];
  if (from === undefined) throw new CliError('refused', `No key is in force for ${purpose}.`);
  if (directRotation.includes(purpose)) {
    const body = JSON.stringify({ purpose, ...(options.to !== undefined && { to: options.to }) });
    return JSON.parse(await kernel.post('/kernel/keys/rotate', body)) as RotatedKey;
  }
  const signer = candidates.find(({ signer_kid, purposes }) =>
    options.to === undefined ? purposes.includes(purpose as never) : signer_kid === options.to,
  );
  if (signer === undefined) {
    throw new CliError(
      'refused',
      `The signing proxy holds no new key ${options.to ?? `for ${purpose}`}; make one with --create, or name one in its KERNEL_SIGNING_KEYS (docs/keys.md).`,
    );
  }
  const upgradeId = `rotate-${signer.signer_kid}`;
  const manifest = {
    upgradeId,
    type: 'signer_rotation',
    rationale: options.rationale ?? `${signer.signer_kid} in the place of ${from} for ${purpose}`,
    from,
    signer,
    autoApply: true,
  };
  await propose(kernel, upgradeId, manifest);
  say(`upgrade ${upgradeId} is proposed; approvers sign it with ./kernel upgrade approve ${upgradeId}`);
  await applied(kernel, upgradeId, minutesOf(options.minutes));
  return { from, to: signer.signer_kid };
}

async function effectsOfRotation(
  kernel: KernelApiClient,
  { purpose, to, create, kid }: { purpose: KeyPurpose; to?: string; create?: true; kid?: string },
): Promise<string[]> {
  const { candidates, inForce, directRotation } =
    await kernel.getJson<KeyCandidates>('/kernel/keys/candidates');
  const named = to ?? candidates.find(({ purposes }) => purposes.includes(purpose as never))?.signer_kid;
  const next =
    create === true ? `a new key${kid === undefined ? '' : ` ${kid}`}` : (named ?? 'no key that there is');
  return [
    `The ${purpose} key ${inForce[purpose] ?? '(none)'} is replaced by ${next}; a shard never goes back to an earlier key.`,
    directRotation.includes(purpose)
      ? 'It is done at once (KERNEL_DIRECT_KEY_ROTATION).'
      : 'An upgrade is proposed, and applied by itself when its approvers have signed.',
  ];
}

/** Accepts an upgrade that was proposed before: the command may have been interrupted. */
async function propose(kernel: KernelApiClient, upgradeId: string, manifest: object): Promise<void> {
  try {
    await kernel.post('/kernel/upgrade', JSON.stringify({ manifest }));
  } catch (error) {
    const { problem } = (error instanceof CliError ? error.details : {}) as { problem?: { error?: string } };
    if (problem?.error !== 'upgrade_exists') throw error;
    say(`upgrade ${upgradeId} was proposed before`);
  }
}

async function applied(kernel: KernelApiClient, upgradeId: string, minutes: number): Promise<void> {
  const deadline = Date.now() + minutes * 60_000;
  for (let missing = -1; ;) {
    const { upgrade } = await kernel.getJson<UpgradeWithTimeline>(
      `/kernel/upgrade/${encodeURIComponent(upgradeId)}`,
    );
    if (['applied', 'completed', 'ratified'].includes(upgrade.status)) return;
    if (!['proposed', 'approved'].includes(upgrade.status)) {
      throw new CliError(
        'refused',
        `The upgrade ${upgradeId} is ${upgrade.status}; the key was not rotated.`,
      );
    }
    if (upgrade.quorum.missing !== missing) {
      missing = upgrade.quorum.missing;
      if (missing > 0) say(`waiting for ${missing} more ${missing === 1 ? 'approval' : 'approvals'}`);
    }
    if (Date.now() > deadline) {
      throw new CliError(
        'refused',
        `Not enough approvals within ${minutes} minutes; run the command again to go on waiting.`,
      );
    }
    await delay(POLL_MS);
  }
}

/** Brings signers.json up to date with the registry, and verifies the chain with it. */
async function conclude(options: FileOptions): Promise<void> {
  if (options.out !== undefined) {
    const path = resolve(options.out);
    const text = await withClient(options, (kernel) => kernel.get('/kernel/keys/signers.json'));
    const added = await updateSignersFile(path, parseSignersFile(text));
    say(`${path} is up to date${added.length === 0 ? '' : `, new in it: ${added.join(', ')}`}`);
  }
  if (!options.verify) return;
  process.exitCode = await verifyChain({
    ...options,
    ...(options.out !== undefined && { signers: resolve(options.out) }),
  });
}

/** Writes the events of the ranges by that key. */
async function listDoubtful(
  kernel: KernelApiClient,
  { kid, reattested }: CompromisedKey,
  file: EventsInDoubt,
): Promise<void> {
  for (const { shard, from, to } of reattested) {
    const path = `/kernel/audit/export?shard=${shard}&fromSeq=${from.seq}&toSeq=${to.seq}`;
    await file.take(kid, await kernel.stream(path));
  }
  say(`${file.count} events in doubt are in ${file.path}`);
}

function describe({ kid, emergencyKid, compromisedAt, reattested, position, mode }: CompromisedKey): string {
  const ranges = reattested.map(
    ({ shard, from, to, count }) => `  ${count} events, positions ${shard}:${from.seq} to ${shard}:${to.seq}`,
  );
  return [
    `${kid} is cut off, compromised since ${compromisedAt}; ${emergencyKid} signs in its place.`,
    reattested.length === 0
      ? `It signed no event since then (statement at ${position}).`
      : `It signed since then, and the kernel stands by it at ${position}:`,
    ...ranges,
    `The kernel is ${mode}.`,
  ].join('\n');
}

function minutesOf(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) > 0) return Number(text);
  throw new CliError('wrong_usage', '--minutes takes a whole number from 1 on.');
}

function purposeOption(): Option {
  return new Option('--purpose <purpose>', 'which key').choices(PURPOSES).makeOptionMandatory();
}

function withFileOptions(command: Command, as: string): Command {
  return withConnectionOptions(command, as)
    .option('--out <file>', 'signers.json to bring up to date, such as tools/signers.json')
    .option('--no-verify', 'leave out the verification at the end')
    .option('--json', 'print the result as JSON, and that of the verification after it');
}
