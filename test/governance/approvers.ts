import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type ApprovalAction, type ApprovalRecord, approvalSigningInput } from '#evidence';
import { type HttpAnswer, type SessionClient, type TestStack } from '#dev/testing';
import { ContractClient } from '../contract/contract.client';

/** One of the development approvers, with their key and their own certificate. */
export class PersonAtDesk {
  readonly id: string;
  readonly client: ContractClient;
  private readonly key: KeyObject;

  /** @param session calls by the person's session instead of their certificate */
  constructor(stack: TestStack, n: number, options: { kernel?: number; session?: SessionClient } = {}) {
    const approver = stack.identities.approvers[n - 1];
    if (approver === undefined) throw new Error(`there is no approver ${n}`);
    this.id = approver.id;
    this.key = createPrivateKey(readFileSync(approver.approvalKey, 'utf8'));
    this.client = new ContractClient(options.session ?? stack.client(approver.tls, options));
  }

  /** Fetches the record to sign. */
  async record(upgradeId: string, action: ApprovalAction = 'approve', query = ''): Promise<ApprovalRecord> {
    const path = `/kernel/upgrade/${upgradeId}/approval-request?approverId=${this.id}&action=${action}${query}`;
    const answer = await this.client.get(path);
    if (answer.status !== 200) throw new Error(`approval-request: ${answer.text}`);
    const { type: _, ...record } = answer.json.record as ApprovalRecord & { type: string };
    return record;
  }

  /** Request body for a record; `signed` is signed in its place. */
  body(record: ApprovalRecord, signed: Partial<ApprovalRecord> = {}): Record<string, unknown> {
    const { approverId, keyId, approvedAt, notes } = record;
    const signature = sign(null, approvalSigningInput({ ...record, ...signed }), this.key).toString('base64');
    return { approverId, keyId, approvedAt, ...(notes === null ? {} : { notes }), signature };
  }

  async sign(upgradeId: string, action: ApprovalAction = 'approve', notes?: string): Promise<HttpAnswer> {
    const query = notes === undefined ? '' : `&notes=${encodeURIComponent(notes)}`;
    const record = await this.record(upgradeId, action, query);
    return this.client.post(`/kernel/upgrade/${upgradeId}/${action}`, this.body(record));
  }
}
