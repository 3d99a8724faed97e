import { randomUUID } from 'node:crypto';
import { type RequestOptions } from '#dev/testing';
import { kernelContract } from './contract.client';

/** A request that fits the document. */
export interface SampleRequest {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  options?: RequestOptions;
}

/** Something that requests can be about. */
export interface SampleSubject {
  division: string;
  /** Id of an event of the division. */
  event: string;
  /** An agent of the division. */
  agent: string;
}

const SIGNATURE = { approverId: 'x', approvedAt: '2026-01-01T00:00:00.000Z', signature: 'AAAA' };
const UPGRADE_BODIES: Record<string, object> = {
  approveUpgrade: SIGNATURE,
  rejectUpgrade: SIGNATURE,
  ratifyUpgrade: SIGNATURE,
  reportCheck: { name: 'x', passed: true },
  applyUpgrade: {},
  emergencyApplyUpgrade: { reason: 'x' },
  withdrawUpgrade: { reason: 'x' },
  completeUpgrade: {},
  proposeRollback: { rationale: 'x' },
};

const NO_WEBHOOK = `/kernel/webhooks/wh_${'0'.repeat(24)}`;
/** A version that nothing has. */
const STALE = 999;

/** A valid request for each operation, about something of the given division where it has one. */
export function sampleRequest(operation: string, { division, event, agent }: SampleSubject): SampleRequest {
  const manifest = { id: 'm', version: 1, division };
  switch (operation) {
    case 'signManifest':
      return { method: 'POST', path: '/kernel/sign', options: { json: { manifest } } };
    case 'verifyManifest':
      return { method: 'POST', path: '/kernel/verify', options: { json: { manifest, envelope: {} } } };
    case 'appendEvents':
      return {
        method: 'POST',
        path: '/kernel/audit',
        options: { json: { type: 'door.opened', payload: { division } } },
      };
    case 'listEvents':
      return { method: 'GET', path: '/kernel/audit' };
    case 'streamEvents':
      return { method: 'GET', path: '/kernel/audit/stream' };
    case 'getEvent':
      return { method: 'GET', path: `/kernel/audit/${event}` };
    case 'getHeads':
      return { method: 'GET', path: '/kernel/audit/head' };
    case 'getPipeline':
      return { method: 'GET', path: '/kernel/audit/pipeline' };
    case 'listAuditRuns':
      return { method: 'GET', path: '/kernel/audit-runs' };
    case 'getAuditRun':
      return { method: 'GET', path: `/kernel/audit-runs/${randomUUID()}` };
    case 'reviewUpgrades':
      return { method: 'GET', path: '/kernel/review?from=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00Z' };
    case 'setLegalHold':
      return {
        method: 'POST',
        path: '/kernel/audit/legal-hold',
        options: { json: { eventId: event, hold: true, reason: 'case 17' } },
      };
    case 'listLegalHolds':
      return { method: 'GET', path: '/kernel/audit/legal-hold' };
    case 'exportEvents':
      return { method: 'GET', path: '/kernel/audit/export' };
    case 'getMode':
      return { method: 'GET', path: '/kernel/admin/mode' };
    case 'changeMode':
      // The policy in force: only the permission is tested here.
      return {
        method: 'POST',
        path: '/kernel/admin/mode',
        options: { json: { mode: 'normal', reason: 'a test' } },
      };
    case 'listSessions':
      return { method: 'GET', path: '/kernel/sessions' };
    case 'endSession':
      return { method: 'DELETE', path: `/kernel/sessions/${randomUUID()}` };
    case 'listKeys':
      return { method: 'GET', path: '/kernel/keys' };
    case 'getKey':
      return { method: 'GET', path: '/kernel/keys/kernel-audit-ed25519-v1' };
    case 'listKeyCandidates':
      return { method: 'GET', path: '/kernel/keys/candidates' };
    case 'makeKey':
      return {
        method: 'POST',
        path: '/kernel/keys/candidates',
        options: { json: { purpose: 'manifest', kid: 'kernel-manifest-ed25519-v1' } },
      };
    case 'rotateKey':
      return { method: 'POST', path: '/kernel/keys/rotate', options: { json: { purpose: 'audit' } } };
    case 'retireKey':
      return { method: 'POST', path: '/kernel/keys/none/retire', options: { json: { reason: 'x' } } };
    case 'compromiseKey':
      return {
        method: 'POST',
        path: '/kernel/keys/none/compromise',
        options: { json: { since: { shard: 0, seq: 1 }, reason: 'x' } },
      };
    case 'getSecurityStatus':
      return { method: 'GET', path: '/kernel/security/status' };
    case 'getSignersFile':
      return { method: 'GET', path: '/kernel/keys/signers.json' };
    case 'getJwks':
      return { method: 'GET', path: '/kernel/keys/jwks.json' };
    case 'listUpgrades':
      return { method: 'GET', path: '/kernel/upgrade' };
    case 'proposeUpgrade': {
      const upgrade = { upgradeId: randomUUID(), type: 'code', target: 'x', rationale: 'a test' };
      return { method: 'POST', path: '/kernel/upgrade', options: { json: { manifest: upgrade } } };
    }
    case 'getApprovers':
      return { method: 'GET', path: '/kernel/approvers' };
    case 'revokeApproverKey':
      return {
        method: 'POST',
        path: '/kernel/approvers/nobody/keys/none/revoke',
        options: { json: { reason: 'a test' } },
      };
    case 'listDivisions':
      return { method: 'GET', path: '/kernel/division' };
    case 'registerDivision':
      return {
        method: 'POST',
        path: '/kernel/division',
        options: { json: { id: division, version: STALE } },
      };
    case 'getDivision':
      return { method: 'GET', path: `/kernel/division/${division}` };
    case 'beginCredentialRegistration':
      return { method: 'POST', path: '/kernel/approvers/nobody/webauthn/challenge', options: {} };
    case 'registerCredential': {
      const response = { clientDataJSON: 'AAAA', attestationObject: 'AAAA' };
      return {
        method: 'POST',
        path: '/kernel/approvers/nobody/webauthn/credential',
        options: { json: { response: { id: 'AAAA', rawId: 'AAAA', type: 'public-key', response } } },
      };
    }
    case 'listNotifications':
      return { method: 'GET', path: '/kernel/admin/notifications' };
    case 'redeliverNotification':
      return {
        method: 'POST',
        path: `/kernel/admin/notifications/msg_${'0'.repeat(32)}/redeliver`,
        options: { json: {} },
      };
    case 'listWebhooks':
      return { method: 'GET', path: '/kernel/webhooks' };
    case 'subscribeWebhook':
      // An address that is refused: only the permission is tested here.
      return { method: 'POST', path: '/kernel/webhooks', options: { json: { url: 'https://127.0.0.1/' } } };
    case 'getWebhook':
      return { method: 'GET', path: NO_WEBHOOK };
    case 'changeWebhook':
      return { method: 'POST', path: NO_WEBHOOK, options: { json: { status: 'paused' } } };
    case 'rotateWebhookSecret':
      return { method: 'POST', path: `${NO_WEBHOOK}/rotate-secret`, options: { json: {} } };
    case 'removeWebhook':
      return { method: 'POST', path: `${NO_WEBHOOK}/remove`, options: { json: {} } };
    case 'listWebhookDeliveries':
      return { method: 'GET', path: `${NO_WEBHOOK}/deliveries` };
    case 'redeliverToWebhook':
      return { method: 'POST', path: `${NO_WEBHOOK}/redeliver`, options: { json: {} } };
    case 'listAgents':
      return { method: 'GET', path: '/kernel/agent' };
    case 'spawnAgent':
      return {
        method: 'POST',
        path: '/kernel/agent',
        options: { json: { divisionId: division, template: { auditId: randomUUID() } } },
      };
    case 'getAgent':
      return { method: 'GET', path: `/kernel/agent/${agent}` };
    case 'getAgentState':
      return { method: 'GET', path: `/kernel/agent/${agent}/state` };
    case 'changeAgentState':
      return {
        method: 'POST',
        path: `/kernel/agent/${agent}/state`,
        options: { json: { state: 'paused' } },
      };
    case 'listEvals':
      return { method: 'GET', path: `/kernel/eval?divisionId=${division}` };
    case 'submitEval':
      return {
        method: 'POST',
        path: '/kernel/eval',
        options: { json: { agentId: agent, metricSet: { taskSuccess: 1 } } },
      };
    case 'listAllocations':
      return { method: 'GET', path: `/kernel/allocate?divisionId=${division}` };
    case 'allocate':
      return {
        method: 'POST',
        path: '/kernel/allocate',
        options: { json: { divisionId: division, delta: 1, reason: 'a test' } },
      };
    case 'getReceipt':
      return { method: 'GET', path: `/kernel/audit/${event}/receipt` };
    case 'getEntryBundle':
      return { method: 'GET', path: '/log/0/tile/entries/000' };
    case 'getEntryBundle2':
      return { method: 'GET', path: '/log/0/tile/entries/000.p/1' };
    case 'getEntryBundle3':
      return { method: 'GET', path: '/log/0/tile/entries/x001/000.p/1' };
    case 'getEntryBundle4':
      return { method: 'GET', path: '/log/0/tile/entries/x001/x000/000.p/1' };
    case 'getReason':
      return { method: 'GET', path: `/kernel/reason/${event}` };
    case 'getUpgrade':
      return { method: 'GET', path: '/kernel/upgrade/none' };
    case 'getUpgradeEvidence':
      return { method: 'GET', path: '/kernel/upgrade/none/evidence' };
    case 'getApprovalRequest':
      return { method: 'GET', path: '/kernel/upgrade/none/approval-request?approverId=x' };
    default: {
      const found = kernelContract().operations.find(({ id }) => id === operation);
      const json = UPGRADE_BODIES[operation];
      if (found === undefined || json === undefined) throw new Error(`no request for ${operation}`);
      return { method: 'POST', path: found.path.replace('{id}', 'none'), options: { json } };
    }
  }
}
