import { createHash, createPrivateKey, randomUUID, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Caller, expectStatus } from '../callers.mjs';
import { verifyOffline } from '../verifier.mjs';
import { must, notChecked } from '../verdicts.mjs';
import { trustRoot, written } from './signing.mjs';

/** RFC 8785 for a record of texts, integers and nulls, which is what an approval is (docs/spec/approval.md, section 1). */
function canonical(record) {
  const members = Object.keys(record).sort();
  return JSON.stringify(Object.fromEntries(members.map((name) => [name, record[name]])));
}

async function approve(options, { id, cert, key, approvalKey }, upgradeId) {
  const person = new Caller(options, { cert, key });
  try {
    const path = `/kernel/upgrade/${upgradeId}`;
    const asked = await person.get(
      `${path}/approval-request?approverId=${encodeURIComponent(id)}&action=approve`,
    );
    const { record, sha256 } = expectStatus(asked, 200, 'approval-request').json;
    const bytes = canonical(record);
    must(
      createHash('sha256').update(bytes).digest('hex') === sha256,
      `the record for ${id} is not the one that is shown`,
    );
    must(
      record.upgradeId === upgradeId && record.approverId === id,
      `the record for ${id} is about something else`,
    );
    const signature = sign(null, `${record.type}\n${bytes}`, createPrivateKey(readFileSync(approvalKey)));
    const { keyId, approvedAt } = record;
    const body = { approverId: id, keyId, approvedAt, signature: signature.toString('base64') };
    expectStatus(await person.post(`${path}/approve`, body), 201, `the approval of ${id}`);
  } finally {
    person.close();
  }
}

/** Holds that it is refused for want of people. */
async function refused(operator, upgradeId, approvals) {
  const early = expectStatus(
    await operator.post(`/kernel/upgrade/${upgradeId}/apply`, {}),
    400,
    `applying with ${approvals}`,
  );
  must(
    early.json.error === 'insufficient_quorum',
    `applying with ${approvals} approvals answered ${early.json.error}`,
  );
}

export const governanceChecks = [
  {
    criterion: 7,
    name: 'an upgrade by quorum',
    async run({ options, callers: { operator }, shown }) {
      const { approvers } = options;
      if (approvers.length === 0) notChecked('no --approvers are given');
      const pool = expectStatus(await operator.get('/kernel/approvers'), 200, '/kernel/approvers').json;
      const needed = pool.threshold;
      if (approvers.length < needed)
        notChecked(`${approvers.length} approvers are given, ${needed} have to agree`);
      const upgradeId = `acceptance-${randomUUID()}`;
      const manifest = {
        upgradeId,
        type: 'code',
        target: 'acceptance',
        rationale: 'shows that the quorum decides',
      };
      expectStatus(await operator.post('/kernel/upgrade', { manifest }), 201, '/kernel/upgrade');
      for (const [n, approver] of approvers.slice(0, needed).entries()) {
        await refused(operator, upgradeId, n);
        await approve(options, approver, upgradeId);
      }
      const applied = expectStatus(
        await operator.post(`/kernel/upgrade/${upgradeId}/apply`, {}),
        200,
        'applying',
      ).json;
      shown.upgradeId = upgradeId;
      const { approvers: agreed, required } = applied.quorum;
      must(agreed.length >= required, `it was applied with ${agreed.length} of ${required}`);
      return `${upgradeId} refused with fewer than ${needed}, applied with ${agreed.join(', ')} (${needed} of ${pool.approvers.length})`;
    },
  },
  {
    criterion: 7,
    name: 'its evidence verifies offline',
    async run(context) {
      const { options, callers, folder, shown } = context;
      if (options.approvers.length === 0) notChecked('no --approvers are given');
      must(shown.upgradeId !== undefined, 'there is no upgrade to look at: see the one before');
      const answer = await callers.operator.get(`/kernel/upgrade/${shown.upgradeId}/evidence`);
      const file = written(folder, 'upgrade.json', expectStatus(answer, 200, 'the evidence').text);
      const { file: signers, whose } = await trustRoot(context);
      const args = ['--signers', signers, '--upgrade', file];
      // The log is published a little later: until then the evidence has no proofs, and the verdict says so.
      if (answer.json.proofs.length === 0) args.push('--without-proofs');
      const { code, said } = await verifyOffline(args, options.environment);
      must(code === 0, `tools/audit-verify.js by ${whose}: ${said}`);
      return said;
    },
  },
];
