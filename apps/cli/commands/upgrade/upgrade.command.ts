import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command } from 'commander';
import { type ApprovalAction, approvalSigningInput } from '#evidence';
import {
  type Approvers,
  type Upgrade,
  type UpgradeAnswer,
  type UpgradePage,
  type UpgradeSummary,
  type UpgradeWithTimeline,
} from '#openapi/kernel';
import { connectionFrom, kernelVariables } from '../../api/connection';
import { KernelApiClient } from '../../api/kernel-api.client';
import { CliError } from '../../cli.error';
import { note, print, questions, say, table } from '../../output/print';
import { shown } from '../../output/shown';
import {
  bytesOf,
  type CallOptions,
  documentText,
  get,
  idempotency,
  post as postText,
  reading,
  withClient,
  withQuery,
  withReason,
  writing,
} from '../api-calls';
import { dangerous, type DangerOptions, mayGoOn } from '../dangerous';
import { describeRequest, differenceFromForce, fetchRequest } from './approval';
import { type ApproverKeyOptions, openApproverKey } from './approver-key';
import { consent } from './consent';
import { addPool } from './edit-pool';
import { addNotifications } from './notifications';
import { addReview } from './review';

type Common = CallOptions;
type ListOptions = Common & { status?: string; type?: string; limit: string; cursor?: string };
type SigningOptions = Common &
  ApproverKeyOptions & {
    approver?: string;
    keyId?: string;
    notes?: string;
    approvedAt?: string;
    origin?: string;
  } & DangerOptions;

/** Upgrades: propose, decide by signature, apply, prove. */
export function addUpgrade(program: Command): void {
  const upgrade = program
    .command('upgrade')
    .summary('changes that need several people: propose, approve, apply, prove');

  writing(upgrade.command('propose'), 'operator')
    .description(
      'Proposes the upgrade in FILE (a manifest in JSON; - reads standard input). It cannot be changed afterwards.',
    )
    .argument('<file>', 'the manifest')
    .option(
      '--submitted-by <name>',
      'in whose name, for the record (default: the caller); no approver but oneself',
    )
    .option('--artifact <file>', "what the manifest's patchSha256 is the digest of; the kernel recomputes it")
    .action(async (file: string, options: Common & { submittedBy?: string; artifact?: string }) => {
      const manifest = await documentText(file, 'proposed');
      const members = [`"manifest":${manifest}`];
      if (options.submittedBy !== undefined)
        members.push(`"submittedBy":${JSON.stringify(options.submittedBy)}`);
      if (options.artifact !== undefined)
        members.push(`"artifact":"${(await bytesOf(options.artifact)).toString('base64')}"`);
      await post(options, '/kernel/upgrade', `{${members.join(',')}}`);
    });

  reading(upgrade.command('list'))
    .description('Lists upgrades, newest first.')
    .option('--status <status>', 'those of which it holds now, such as approved')
    .option('--type <type>', 'those of one type, such as code')
    .option('--limit <n>', 'how many', '20')
    .option('--cursor <cursor>', 'go on behind a page: its nextCursor')
    .action(async (options: ListOptions) => {
      const upgrades = await listUpgrades(options);
      if (upgrades === null) return;
      const rows = upgrades.map(({ id, type, status, proposedBy, submittedAt }) => ({
        id,
        type,
        status,
        by: proposedBy,
        since: submittedAt,
      }));
      print(rows.length === 0 ? 'There are no such upgrades.' : table(rows));
    });

  reading(upgrade.command('show'))
    .description(
      'Shows an upgrade: its manifest, who signed, who counts and who does not, what is missing, what happened.',
    )
    .argument('<id>', 'the upgrade')
    .action(async (id: string, options: Common) => {
      const answer = await get(options, `/kernel/upgrade/${encodeURIComponent(id)}`);
      if (options.json === true) return print(answer);
      const { upgrade: one, timeline } = shown<UpgradeWithTimeline>(answer);
      const { manifest } = (JSON.parse(answer) as UpgradeWithTimeline).upgrade;
      print([describe(one), '', JSON.stringify(manifest, null, 2), '', ...timeline.map(lineOf)].join('\n'));
    });

  for (const action of ['approve', 'reject', 'ratify'] as const) addSigning(upgrade, action);

  writing(upgrade.command('check'), 'superadmin')
    .description(
      'Reports how a precondition of an upgrade went: for another service than the one that proposed it.',
    )
    .argument('<id>', 'the upgrade')
    .argument('<name>', 'the check, as the manifest names it')
    .option('--failed', 'it failed (default: it passed)')
    .option('--detail <text>', 'goes into the chain with it')
    .action(async (id: string, name: string, options: Common & { failed?: true; detail?: string }) => {
      const { failed, detail } = options;
      await post(options, pathOf(id, 'check'), JSON.stringify({ name, passed: failed !== true, detail }));
    });

  writing(upgrade.command('apply'), 'operator')
    .description('Applies an upgrade that has its quorum.')
    .argument('<id>', 'the upgrade')
    .option('--artifact <file>', 'its digest must be that of the proposal')
    .action(async (id: string, options: Common & { artifact?: string }) => {
      const artifact =
        options.artifact === undefined ? undefined : (await bytesOf(options.artifact)).toString('base64');
      await post(options, pathOf(id, 'apply'), JSON.stringify({ artifact }));
    });

  dangerous(withReason(writing(upgrade.command('emergency-apply'), 'superadmin')))
    .description(
      'Applies an upgrade at once, without a quorum; it has to be ratified afterwards. For a SuperAdmin.',
    )
    .argument('<id>', 'the upgrade')
    .action(async (id: string, options: Common & DangerOptions & { reason: string }) => {
      const { upgrade: found } = JSON.parse(
        await get(options, `/kernel/upgrade/${encodeURIComponent(id)}`),
      ) as UpgradeAnswer;
      const effects = [
        `${id} (${found.type}, ${found.status}) takes effect at once, with ${found.quorum.approvers.length} of ${found.quorum.required} approvals.`,
        'Everyone sees it as an emergency; it is rolled back, or has to be, when it is not ratified in time.',
      ];
      if (!(await mayGoOn(options, effects))) return;
      await post(options, pathOf(id, 'emergency-apply'), JSON.stringify({ reason: options.reason }));
    });

  dangerous(withReason(writing(upgrade.command('withdraw'), 'operator')))
    .description('Withdraws a proposal of one’s own.')
    .argument('<id>', 'the upgrade')
    .action(async (id: string, options: Common & DangerOptions & { reason: string }) => {
      if (!(await mayGoOn(options, [`The proposal ${id} ends, with the signatures that it has.`]))) return;
      await post(options, pathOf(id, 'withdraw'), JSON.stringify({ reason: options.reason }));
    });

  writing(upgrade.command('complete'), 'operator')
    .description('Reports how the deployment of an applied upgrade ended.')
    .argument('<id>', 'the upgrade')
    .option('--failed', 'it failed (default: it is completed)')
    .option('--detail <text>', 'goes into the chain with it')
    .action(
      async (id: string, { failed, detail, ...options }: Common & { failed?: true; detail?: string }) => {
        const outcome = failed === true ? 'failed' : 'completed';
        await post(options, pathOf(id, 'complete'), JSON.stringify({ outcome, detail }));
      },
    );

  writing(upgrade.command('rollback'), 'operator')
    .description('Proposes to undo an upgrade; that is an upgrade itself and needs its quorum.')
    .argument('<id>', 'the upgrade to undo')
    .requiredOption('--rationale <text>', 'why')
    .option('--id <id>', 'id of the new upgrade (default: <id>.rollback)')
    .action(
      async (
        id: string,
        { rationale, id: upgradeId, ...options }: Common & { rationale: string; id?: string },
      ) => {
        await post(options, pathOf(id, 'rollback'), JSON.stringify({ rationale, upgradeId }));
      },
    );

  reading(upgrade.command('evidence'))
    .description('Fetches everything that proves an upgrade, for tools/audit-verify.js --upgrade FILE.')
    .argument('<id>', 'the upgrade')
    .option('--out <file>', 'write it there instead of to standard output')
    .action(async (id: string, options: Common & { out?: string }) => {
      const answer = await get(options, pathOf(id, 'evidence'));
      if (options.out === undefined) return print(answer);
      await writeFile(options.out, `${answer}\n`).catch((cause: NodeJS.ErrnoException) => {
        throw new CliError(
          'file_problem',
          `${resolve(options.out ?? '')} cannot be written (${cause.code}).`,
          {},
          { cause },
        );
      });
      say(`wrote ${resolve(options.out)}`);
    });

  reading(upgrade.command('approvers'))
    .description('Shows the approver pool in force.')
    .action(async (options: Common) => {
      const answer = await get(options, '/kernel/approvers');
      if (options.json === true) return print(answer);
      const pool = shown<Approvers>(answer);
      print(`Pool version ${pool.version}: ${pool.threshold} of ${pool.approvers.length} have to agree.`);
      print(
        table(
          pool.approvers.map(({ id, name, keys, revokedKeys }) => ({
            id,
            name,
            keys: keys
              .map(({ keyId }) => (revokedKeys.includes(keyId) ? `${keyId} (revoked)` : keyId))
              .join(', '),
          })),
        ),
      );
    });

  dangerous(withReason(writing(upgrade.command('revoke-key'), 'superadmin')))
    .description('Revokes a key of an approver, at once and permanently: for a SuperAdmin, or its owner.')
    .argument('<approver>', 'whose key')
    .argument('<key-id>', 'which')
    .action(async (approver: string, keyId: string, options: Common & DangerOptions & { reason: string }) => {
      const effects = [
        `The key ${keyId} of ${approver} never counts again, in any pool and for any upgrade.`,
      ];
      if (!(await mayGoOn(options, effects))) return;
      const path = `/kernel/approvers/${encodeURIComponent(approver)}/keys/${encodeURIComponent(keyId)}/revoke`;
      const answer = await postText(options, path, JSON.stringify({ reason: options.reason }));
      print(options.json === true ? answer : `The key ${keyId} of ${approver} no longer counts anywhere.`);
    });

  addReview(upgrade);
  addPool(upgrade);
  addNotifications(upgrade);
}

/** Pages that are asked for to fill one list; each looks at 200 upgrades. */
const MAX_PAGES = 50;

/** With --json the first page is printed as it came, and null returned. */
async function listUpgrades({
  status,
  type,
  limit,
  cursor,
  ...options
}: ListOptions): Promise<UpgradeSummary[] | null> {
  return withClient(options, async (client) => {
    const found: UpgradeSummary[] = [];
    let next = cursor;
    for (let page = 0; page < MAX_PAGES; page++) {
      const wanted = page === 0 ? limit : String(Number(limit) - found.length);
      const path = withQuery('/kernel/upgrade', { status, type, limit: wanted, cursor: next });
      const answer = await client.get(path);
      if (options.json === true) {
        print(answer);
        return null;
      }
      const { upgrades, nextCursor } = shown<UpgradePage>(answer);
      found.push(...upgrades);
      // With a filter that few match, a page may be short and not the last.
      if (nextCursor === null) return found;
      next = nextCursor;
      if (found.length >= Number(limit)) break;
    }
    say(`There may be more; go on with --cursor ${next}`);
    return found;
  });
}

function addSigning(upgrade: Command, action: ApprovalAction): void {
  const words = { approve: 'Approves', reject: 'Rejects', ratify: 'Ratifies, after an emergency,' }[action];
  dangerous(writing(upgrade.command(action), 'approver-1'))
    .description(
      `${words} an upgrade by a signature: shows what is signed, with digests recomputed here and the difference from what is in force, then signs it with your key.`,
    )
    .argument('<id>', 'the upgrade')
    .option('--approver <id>', 'who you are (with --as approver-N: from the state folder)')
    .option(
      '--signing-key <file>',
      'your Ed25519 approval key, PEM (with --as approver-N: from the state folder)',
    )
    .option('--pkcs11-key <label>', 'your approval key in a token, in place of --signing-key')
    .option('--pkcs11-module <file>', "the token's PKCS#11 library")
    .option('--pkcs11-token <label>', 'the token')
    .option('--pkcs11-pin-file <file>', 'file with its PIN, mode 0600')
    .option('--pkcs11-env <name=value...>', 'for the library, such as SOFTHSM2_CONF=...')
    .option('--key-id <id>', 'which registered key that is (default: your first one that counts)')
    .option('--notes <text>', 'what you have to say; signed and recorded')
    .option(
      '--approved-at <time>',
      'the time in the record; with --dry-run: to recompute what another device shows (default: now)',
    )
    .option('--origin <name>', 'the kernel that must be meant (with a state folder: its own)')
    .action(async (id: string, options: SigningOptions) => {
      await signDecision(id, action, options);
    });
}

async function signDecision(id: string, action: ApprovalAction, options: SigningOptions): Promise<void> {
  const who = await approverFrom(options);
  const client = new KernelApiClient(await connectionFrom(options));
  try {
    const request = await fetchRequest(client, {
      upgradeId: id,
      action,
      approverId: who.id,
      keyId: options.keyId,
      notes: options.notes,
      approvedAt: options.approvedAt,
      origin: who.origin,
    });
    note(describeRequest(request, await differenceFromForce(client, request.manifest)));
    const effects = [`${request.record.approverId} signs this to ${action} ${id}, once and for all to see.`];
    if (options.dryRun === true) {
      await mayGoOn(options, effects);
      return;
    }
    await confirm(action, options.yes === true);
    const { approverId, keyId, approvedAt, notes } = request.record;
    const key = await openApproverKey(who.key);
    let signature: string;
    try {
      // Over the record that was shown, made here: what the kernel calls the signing input plays no part.
      signature = await key.sign(approvalSigningInput(request.record));
    } finally {
      await key.close();
    }
    const answer = await client.post(
      pathOf(id, action),
      JSON.stringify({ approverId, keyId, approvedAt, ...(notes === null ? {} : { notes }), signature }),
      idempotency(options),
    );
    print(options.json === true ? answer : describe(shown<UpgradeAnswer>(answer).upgrade));
  } finally {
    await client.close();
  }
}

/** Id and key of the approver: from the options, else those of the development approver that `--as` names. */
async function approverFrom(
  options: SigningOptions,
): Promise<{ id: string; key: ApproverKeyOptions; origin: string | undefined }> {
  const number = /^approver-(\d)$/.exec(options.as ?? '')?.[1];
  const needsFolder = options.url === undefined || options.approver === undefined;
  const variables = needsFolder ? await kernelVariables(options) : {};
  const id =
    options.approver ?? (number === undefined ? undefined : variables[`KERNEL_APPROVER_${number}_ID`]);
  if (id === undefined) throw new CliError('wrong_usage', 'Who approves? Name yourself with --approver.');
  const own = options.signingKey ?? options.pkcs11Key;
  const development = number === undefined ? undefined : variables[`KERNEL_APPROVER_${number}_KEY`];
  const key =
    own === undefined && development !== undefined ? { ...options, signingKey: development } : options;
  return { id, key, origin: options.origin ?? variables['KERNEL_ORIGIN'] };
}

async function confirm(action: ApprovalAction, yes: boolean): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY) {
    throw new CliError(
      'wrong_usage',
      `No one can be asked here; read the text above and repeat with --yes to ${action}.`,
    );
  }
  await consent(`\nSign this to ${action}? [y/N] `, process.stdin, questions);
}

function describe(upgrade: Upgrade): string {
  const { quorum } = upgrade;
  return [
    `${upgrade.id} (${upgrade.type}) is ${upgrade.status}`,
    ...(upgrade.reason === null ? [] : [`  reason    ${upgrade.reason}`]),
    `  proposed  by ${proposerOf(upgrade)} at ${upgrade.submittedAt}, expires ${upgrade.expiresAt}`,
    `  sha256    ${upgrade.manifestSha256}`,
    ...(upgrade.patchSha256 === null ? [] : [`  artifact  ${upgrade.patchSha256}`]),
    `  ${quorum.action === 'ratify' ? 'ratified' : 'quorum  '}  ${quorum.approvers.length} of ${quorum.required}${listOf(quorum.approvers)}`,
    ...(quorum.rejection.approvers.length === 0
      ? []
      : [
          `  rejected  ${quorum.rejection.approvers.length} of ${quorum.rejection.required}${listOf(quorum.rejection.approvers)}`,
        ]),
    ...quorum.notCounted.map(
      ({ approverId, action, reason }) => `            ${approverId} (${action}) does not count: ${reason}`,
    ),
    ...(isOpen(upgrade) && quorum.missing > 0
      ? [`            can still sign: ${quorum.open.join(', ') || 'no one'}`]
      : []),
    ...(upgrade.missingChecks.length > 0 ? [`  checks    missing: ${upgrade.missingChecks.join(', ')}`] : []),
    ...(upgrade.ratifyBy === null ? [] : [`  EMERGENCY to be ratified until ${upgrade.ratifyBy}`]),
  ].join('\n');
}

/** `: a, b`; nothing of no one. */
function listOf(names: readonly string[]): string {
  return names.length === 0 ? '' : `: ${names.join(', ')}`;
}

function isOpen({ status }: Upgrade): boolean {
  return ['proposed', 'approved', 'emergency_applied'].includes(status);
}

/** The caller, and in whose name they said that they propose. */
function proposerOf({ proposedBy, submittedBy }: Upgrade): string {
  return submittedBy === proposedBy ? proposedBy : `${proposedBy} (for ${submittedBy}, it says)`;
}

function lineOf({ ts, type, position, actor }: UpgradeWithTimeline['timeline'][number]): string {
  return `${ts}  ${position}  ${type}  ${actor.id}`;
}

function pathOf(id: string, verb: string): string {
  return `/kernel/upgrade/${encodeURIComponent(id)}/${verb}`;
}

async function post(options: Common, path: string, body: string): Promise<void> {
  const answer = await postText(options, path, body);
  print(options.json === true ? answer : describe(shown<UpgradeAnswer>(answer).upgrade));
}
