import {
  APPROVAL_TYPE,
  type ApprovalAction,
  type ApprovalRecord,
  approvalRecordBytes,
  jsonDiff,
  type JsonObject,
  manifestDigest,
  parseStrictJson,
  printable,
  readApprovalRecord,
  sha256Hex,
} from '#evidence';
import { type KernelApiClient } from '../../api/kernel-api.client';
import { CliError } from '../../cli.error';
import { withQuery } from '../api-calls';

/** What an approver is about to sign, with every digest recomputed here. */
export interface CheckedRequest {
  record: ApprovalRecord;
  /** Hex SHA-256 of the record's canonical bytes. */
  sha256: string;
  manifest: JsonObject;
}

/**
 * Fetches the record to sign and believes nothing of it: the digests are those of what was fetched, and the record has
 * to speak of this upgrade, this action and this approver.
 * @throws CliError `refused` when the kernel's record is not about what it shows
 */
export async function fetchRequest(
  client: KernelApiClient,
  wanted: {
    upgradeId: string;
    action: ApprovalAction;
    approverId: string;
    keyId: string | undefined;
    notes: string | undefined;
    approvedAt: string | undefined;
    origin: string | undefined;
  },
): Promise<CheckedRequest> {
  const query = new URLSearchParams({ approverId: wanted.approverId, action: wanted.action });
  if (wanted.keyId !== undefined) query.set('keyId', wanted.keyId);
  if (wanted.notes !== undefined) query.set('notes', wanted.notes);
  if (wanted.approvedAt !== undefined) query.set('approvedAt', wanted.approvedAt);
  const path = `/kernel/upgrade/${encodeURIComponent(wanted.upgradeId)}/approval-request?${query.toString()}`;
  const answer = parseStrictJson(await client.get(path)) as JsonObject;
  const record = readApprovalRecord(answer['record']);
  const manifest = answer['manifest'] as JsonObject;
  const expected = {
    upgradeId: wanted.upgradeId,
    action: wanted.action,
    approverId: wanted.approverId,
    notes: wanted.notes ?? null,
    manifestSha256: manifestDigest(manifest),
    ...(wanted.approvedAt === undefined ? {} : { approvedAt: wanted.approvedAt }),
    ...(wanted.origin === undefined ? {} : { origin: wanted.origin }),
    ...(wanted.keyId === undefined ? {} : { keyId: wanted.keyId }),
  };
  for (const [name, value] of Object.entries(expected)) {
    const said = record[name as keyof ApprovalRecord];
    if (said === value) continue;
    throw new CliError(
      'refused',
      `Do not sign: the record says ${name} ${String(said)}, but it should be ${String(value)}.`,
    );
  }
  if (manifest['upgradeId'] !== wanted.upgradeId) {
    throw new CliError('refused', 'Do not sign: the manifest is that of another upgrade.');
  }
  const sha256 = sha256Hex(approvalRecordBytes(record));
  if (sha256 !== answer['sha256']) {
    throw new CliError('refused', `Do not sign: the record's SHA-256 is ${sha256}, the kernel says another.`);
  }
  return { record, sha256, manifest };
}

/** The request as a person reads it before signing. */
export function describeRequest(
  { record, sha256, manifest }: CheckedRequest,
  difference: string[] | null,
): string {
  const changes =
    difference === null
      ? ['  nothing in force to compare with']
      : difference.length === 0
        ? ['  none']
        : difference.map((line) => `  ${line}`);
  return [
    `You are about to ${record.action} ${record.upgradeId} of ${record.origin}, as ${record.approverId} with ${record.keyId}.`,
    '',
    'Manifest:',
    ...JSON.stringify(manifest, null, 2)
      .split('\n')
      .map((line) => `  ${line}`),
    '',
    'Difference from what is in force:',
    ...changes,
    '',
    'Recomputed here from what was fetched:',
    `  manifest  sha256 ${record.manifestSha256}`,
    `  artifact  ${record.patchSha256 === null ? 'none' : `sha256 ${record.patchSha256}`}`,
    `  record    sha256 ${sha256}  (${APPROVAL_TYPE})`,
    '',
    `Pool version ${record.poolVersion}, ${record.threshold} approvals needed. The signature counts until ${record.expiresAt}.`,
    ...(record.notes === null ? [] : [`Notes: ${printable(record.notes)}`]),
  ].join('\n');
}

interface PoolInForce {
  threshold: number;
  approvers: JsonObject[];
}

/**
 * What the manifest changes against what is in force, or was before the manifest was applied in an emergency; null when there is
 * nothing of that kind.
 */
export async function differenceFromForce(
  client: KernelApiClient,
  manifest: JsonObject,
): Promise<string[] | null> {
  switch (manifest['type']) {
    case 'approver_pool': {
      const found = await client.getJson<
        PoolInForce & { provisional: string | null; settled: PoolInForce | null }
      >('/kernel/approvers');
      // Applied in an emergency it is in force itself; what it changes is the pool before it.
      const before = found.provisional === manifest['upgradeId'] ? found.settled : null;
      const { threshold, approvers } = before ?? found;
      const people = approvers.map(({ revokedKeys: _, ...approver }) => approver);
      return jsonDiff({ threshold, approvers: people }, manifest['pool'] ?? null);
    }
    case 'policy': {
      // The settled one: also where an emergency has put another into force.
      const { policy } = await client.getJson<{ policy: JsonObject }>('/kernel/approvers');
      return jsonDiff(policy, manifest['policy'] ?? null);
    }
    case 'signer_rotation': {
      const { signers } = await client.getJson<{ signers: JsonObject[] }>('/kernel/keys/signers.json');
      const old = signers.find(({ signer_kid }) => signer_kid === manifest['from']);
      return old === undefined ? null : jsonDiff(old, manifest['signer'] ?? null);
    }
    default:
      return differenceFromLast(client, manifest);
  }
}

/** Against the manifest that was last applied to the same target, as far as the newest upgrades show one. */
async function differenceFromLast(client: KernelApiClient, manifest: JsonObject): Promise<string[] | null> {
  const { type } = manifest;
  const { upgrades } = await client.getJson<{ upgrades: { status: string; manifest: JsonObject }[] }>(
    withQuery('/kernel/upgrade', { limit: '100', type: typeof type === 'string' ? type : undefined }),
  );
  const target = JSON.stringify(manifest['target'] ?? null);
  const last = upgrades.find(
    (upgrade) =>
      // What was applied in an emergency is among them, and is not what it is compared with.
      upgrade.manifest['upgradeId'] !== manifest['upgradeId'] &&
      IN_FORCE.has(upgrade.status) &&
      upgrade.manifest['type'] === type &&
      JSON.stringify(upgrade.manifest['target'] ?? null) === target,
  );
  return last === undefined ? null : jsonDiff(last.manifest, manifest);
}

const IN_FORCE: ReadonlySet<string> = new Set(['applied', 'emergency_applied', 'ratified', 'completed']);
