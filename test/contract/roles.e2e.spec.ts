import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DevelopmentCaller } from '#dev/devstack';
import { MtlsClient, SessionClient, TestCa, withStack } from '#dev/testing';
import { ContractClient, kernelContract } from './contract.client';
import { sampleRequest } from './sample-requests';

/**
 * Every route of the OpenAPI document for every kind of caller. The table is written from the specification
 * of the roles, not from the code: `yes`, `no` (403), `own` (a DivisionLead's own division only), `any` (no role needed).
 */
type Expected = 'yes' | 'no' | 'own' | 'any';
type Row = Record<DevelopmentCaller, Expected>;

const READ: Row = { SUPERADMIN: 'yes', DIVISION_LEAD: 'own', OPERATOR: 'yes', AUDITOR: 'yes', NOROLE: 'no' };
const ANY_ROLE: Row = {
  SUPERADMIN: 'yes',
  DIVISION_LEAD: 'yes',
  OPERATOR: 'yes',
  AUDITOR: 'yes',
  NOROLE: 'no',
};
const PUBLIC: Row = {
  SUPERADMIN: 'any',
  DIVISION_LEAD: 'any',
  OPERATOR: 'any',
  AUDITOR: 'any',
  NOROLE: 'any',
};

/** Allowed to no role: only to an approver in person, and no caller here is one (test/governance). */
const IN_PERSON: Row = { SUPERADMIN: 'no', DIVISION_LEAD: 'no', OPERATOR: 'no', AUDITOR: 'no', NOROLE: 'no' };
const PROPOSE: Row = {
  SUPERADMIN: 'yes',
  DIVISION_LEAD: 'yes',
  OPERATOR: 'yes',
  AUDITOR: 'no',
  NOROLE: 'no',
};
const APPLY: Row = { SUPERADMIN: 'yes', DIVISION_LEAD: 'no', OPERATOR: 'yes', AUDITOR: 'no', NOROLE: 'no' };
const SUPERADMIN_ONLY: Row = {
  SUPERADMIN: 'yes',
  DIVISION_LEAD: 'no',
  OPERATOR: 'no',
  AUDITOR: 'no',
  NOROLE: 'no',
};

/** Upgrade operations: called for an upgrade that does not exist, so that only the permission shows. */
const GOVERNANCE: Record<string, Row> = {
  reviewUpgrades: ANY_ROLE,
  listUpgrades: ANY_ROLE,
  proposeUpgrade: PROPOSE,
  getUpgrade: ANY_ROLE,
  getUpgradeEvidence: ANY_ROLE,
  getApprovalRequest: ANY_ROLE,
  approveUpgrade: IN_PERSON,
  rejectUpgrade: IN_PERSON,
  ratifyUpgrade: IN_PERSON,
  reportCheck: APPLY,
  applyUpgrade: APPLY,
  emergencyApplyUpgrade: SUPERADMIN_ONLY,
  withdrawUpgrade: PROPOSE,
  completeUpgrade: APPLY,
  proposeRollback: PROPOSE,
  getApprovers: ANY_ROLE,
  revokeApproverKey: SUPERADMIN_ONLY,
  beginCredentialRegistration: SUPERADMIN_ONLY,
  registerCredential: SUPERADMIN_ONLY,
  listNotifications: { ...APPLY, AUDITOR: 'yes' },
  redeliverNotification: SUPERADMIN_ONLY,
};

const WRITE: Row = {
  SUPERADMIN: 'yes',
  DIVISION_LEAD: 'own',
  OPERATOR: 'yes',
  AUDITOR: 'no',
  NOROLE: 'no',
};

/** Divisions and what is theirs. Writes are about a version or state that is not there, so that only the permission shows. */
const DIVISIONS: Record<string, Row> = {
  listDivisions: READ,
  registerDivision: WRITE,
  getDivision: READ,
  listAgents: READ,
  spawnAgent: WRITE,
  getAgent: READ,
  getAgentState: READ,
  changeAgentState: WRITE,
  listEvals: READ,
  submitEval: WRITE,
  listAllocations: READ,
  allocate: WRITE,
  getReason: READ,
};

const NO_LEAD: Row = {
  SUPERADMIN: 'yes',
  DIVISION_LEAD: 'no',
  OPERATOR: 'yes',
  AUDITOR: 'yes',
  NOROLE: 'no',
};

/** The published log. Nothing is published here (test/log), so that only the permission shows. */
const LOG: Record<string, Row> = {
  getReceipt: READ,
  getEntryBundle: NO_LEAD,
  getEntryBundle2: NO_LEAD,
  getEntryBundle3: NO_LEAD,
  getEntryBundle4: NO_LEAD,
};

/** One's own sessions; the one that is to be ended does not exist. */
const SESSIONS: Record<string, Row> = { listSessions: ANY_ROLE, endSession: ANY_ROLE };
/** Operations on a webhook that is not there, so that only the permission shows. */
const WEBHOOKS: Record<string, Row> = {
  listWebhooks: NO_LEAD,
  getWebhook: NO_LEAD,
  listWebhookDeliveries: NO_LEAD,
  subscribeWebhook: SUPERADMIN_ONLY,
  changeWebhook: SUPERADMIN_ONLY,
  rotateWebhookSecret: SUPERADMIN_ONLY,
  removeWebhook: SUPERADMIN_ONLY,
  redeliverToWebhook: SUPERADMIN_ONLY,
};

const TABLE: Record<string, Row> = {
  ...SESSIONS,
  ...LOG,
  ...WEBHOOKS,
  ...GOVERNANCE,
  ...DIVISIONS,
  signManifest: { SUPERADMIN: 'yes', DIVISION_LEAD: 'own', OPERATOR: 'yes', AUDITOR: 'no', NOROLE: 'no' },
  verifyManifest: ANY_ROLE,
  appendEvents: { SUPERADMIN: 'yes', DIVISION_LEAD: 'no', OPERATOR: 'yes', AUDITOR: 'no', NOROLE: 'no' },
  listEvents: READ,
  streamEvents: READ,
  getEvent: READ,
  getHeads: READ,
  getPipeline: NO_LEAD,
  listAuditRuns: NO_LEAD,
  getAuditRun: NO_LEAD,
  setLegalHold: { SUPERADMIN: 'yes', DIVISION_LEAD: 'no', OPERATOR: 'no', AUDITOR: 'no', NOROLE: 'no' },
  listLegalHolds: { SUPERADMIN: 'yes', DIVISION_LEAD: 'no', OPERATOR: 'yes', AUDITOR: 'yes', NOROLE: 'no' },
  exportEvents: READ,
  getMode: { SUPERADMIN: 'yes', DIVISION_LEAD: 'no', OPERATOR: 'no', AUDITOR: 'no', NOROLE: 'no' },
  changeMode: { SUPERADMIN: 'yes', DIVISION_LEAD: 'no', OPERATOR: 'no', AUDITOR: 'no', NOROLE: 'no' },
  listKeys: READ,
  getKey: READ,
  listKeyCandidates: READ,
  makeKey: SUPERADMIN_ONLY,
  rotateKey: SUPERADMIN_ONLY,
  retireKey: SUPERADMIN_ONLY,
  compromiseKey: SUPERADMIN_ONLY,
  getSecurityStatus: PUBLIC,
  getSignersFile: PUBLIC,
  getJwks: PUBLIC,
};

/** Called for keys that do not exist: only the permission is tested here. */
const KEY_CHANGES = new Set(['makeKey', 'rotateKey', 'retireKey', 'compromiseKey']);

const CALLERS: DevelopmentCaller[] = ['SUPERADMIN', 'DIVISION_LEAD', 'OPERATOR', 'AUDITOR', 'NOROLE'];
/** Names at the development identity provider. */
const PEOPLE: Record<DevelopmentCaller, string> = {
  SUPERADMIN: 'superadmin',
  DIVISION_LEAD: 'lead',
  OPERATOR: 'operator',
  AUDITOR: 'auditor',
  NOROLE: 'norole',
};
const OPERATION_IDS = Object.keys(TABLE);
/** Division of the development DivisionLead. */
const OWN = 'product';
const OTHER = 'finance';
/** In TLS 1.3 the client learns of it late: it may see the alert, or a connection closed before any answer. */
const HANDSHAKE_REFUSED = /certificate|unknown ca|other side closed|ECONNRESET|socket/i;

describe('roles', () => {
  const stack = withStack({ workers: ['outbox-relay', 'indexer'], people: true });
  const sessions = new Map<DevelopmentCaller, SessionClient>();
  let folder: string;
  /** Ids of events of each division. */
  const events: Record<string, string> = {};
  /** An agent of each division. */
  const agents: Record<string, string> = {};
  /** Position of the last event written. */
  let written: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kernel-test-roles-'));
    const operator = stack().client('OPERATOR');
    for (const caller of CALLERS) {
      sessions.set(caller, await SessionClient.signedIn(stack().web?.origin ?? '', PEOPLE[caller]));
    }
    for (const division of [OWN, OTHER]) {
      const answer = await operator.post('/kernel/division', { id: division, budget: 100 });
      expect(answer.status).toBe(200);
      events[division] = answer.json.audit_id;
      const signed = await operator.post('/kernel/sign', { manifest: { id: 'template', division } });
      const template = { auditId: signed.json.audit_id as string };
      const agent = await operator.post('/kernel/agent', { divisionId: division, template });
      expect(agent.status).toBe(201);
      agents[division] = agent.json.id;
      written = agent.json.position;
    }
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const about = (division: string) => ({
    division,
    event: String(events[division]),
    agent: String(agents[division]),
  });

  it('covers every operation of the document', () => {
    const ids = kernelContract().operations.map(({ id }) => id);
    expect(new Set(OPERATION_IDS)).toEqual(new Set(ids));
  });

  /** A person's session is judged like the certificate of a service with the same role. */
  const WAYS = ['mutual TLS', 'a session'] as const;
  const EACH = CALLERS.flatMap((caller) => WAYS.map((way) => [caller, way] as const));
  const as = (caller: DevelopmentCaller, way: (typeof WAYS)[number]): ContractClient => {
    const session = sessions.get(caller);
    if (way === 'a session' && session !== undefined) return new ContractClient(session);
    return new ContractClient(stack().client(caller));
  };

  describe.each(OPERATION_IDS)('%s', (operation) => {
    it.each(EACH)('%s by %s', async (caller, way) => {
      // An event is held once: each way has one of its own.
      const isHeld = operation === 'setLegalHold' && way === 'a session';
      const sample = { ...about(OWN), ...(isHeld && { event: String(events[OTHER]) }) };
      const { method, path, options } = sampleRequest(operation, sample);
      if (operation === 'streamEvents' && TABLE[operation]?.[caller] !== 'no') {
        // Its answer does not end by itself.
        if (way === 'a session') {
          const streamed = await sessions.get(caller)?.browser.send(path);
          expect(streamed?.status).toBe(200);
          await streamed?.body?.cancel();
          return;
        }
        const { statusCode, body } = await stack().client(caller).stream(path);
        expect(statusCode).toBe(200);
        body.on('error', () => undefined).destroy();
        return;
      }
      const answer = await as(caller, way).request(method, path, options);
      const expected = TABLE[operation]?.[caller];
      if (expected === 'no') {
        expect(answer.status).toBe(403);
        expect(answer.json).toMatchObject({ error: 'forbidden', status: 403 });
      } else if (
        operation in GOVERNANCE ||
        operation in LOG ||
        // There is none in a stack without an auditor.
        operation === 'getAuditRun' ||
        operation === 'endSession' ||
        operation in WEBHOOKS ||
        (operation in DIVISIONS && method === 'POST') ||
        KEY_CHANGES.has(operation)
      ) {
        expect(answer.json.error).not.toBe('forbidden');
        expect(answer.status).not.toBe(403);
      } else {
        expect(answer.status).toBe(['appendEvents', 'setLegalHold'].includes(operation) ? 201 : 200);
      }
    });
  });

  describe('a DivisionLead', () => {
    const lead = () => new ContractClient(stack().client('DIVISION_LEAD'));

    it.each([
      'signManifest',
      'getEvent',
      'getReceipt',
      ...Object.keys(DIVISIONS).filter((id) => !['listDivisions', 'listAgents'].includes(id)),
    ])('is refused another division: %s', async (operation) => {
      const { method, path, options } = sampleRequest(operation, about(OTHER));
      const answer = await lead().request(method, path, options);
      expect(answer.status).toBe(403);
      expect(answer.json.error).toBe('forbidden');
    });

    it('is refused a manifest of no division', async () => {
      expect((await lead().post('/kernel/sign', { manifest: { id: 'm' } })).status).toBe(403);
    });

    it('sees only the own division in lists and exports', async () => {
      const list = (
        await lead().get('/kernel/audit?limit=1000', { headers: { 'kernel-min-position': written } })
      ).json.events as { id: string }[];
      const exported = (await lead().get('/kernel/audit/export')).text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as { id: string; stream: string; payload: { division?: string } });
      for (const found of [list, exported]) {
        const ids = found.map(({ id }) => id);
        expect(ids).toContain(events[OWN]);
        expect(ids).not.toContain(events[OTHER]);
      }
      for (const { stream, payload } of exported) {
        expect(stream === `division/${OWN}` || payload.division === OWN).toBe(true);
      }
    });
  });

  it('ignores roles and identities in headers', async () => {
    const forged = {
      'x-roles': 'SuperAdmin',
      'x-role': 'SuperAdmin',
      'x-user': 'dev-superadmin',
      'x-forwarded-user': 'dev-superadmin',
      'x-forwarded-client-cert':
        'By=spiffe://kernel.localhost/kernel;URI=spiffe://kernel.localhost/dev-superadmin',
      'x-ssl-client-s-dn': 'CN=dev-superadmin',
      'x-client-cn': 'dev-superadmin',
      authorization: 'Bearer SuperAdmin',
      cookie: 'roles=SuperAdmin',
    };
    for (const caller of ['NOROLE', 'AUDITOR'] as const) {
      const answer = await stack()
        .client(caller)
        .post('/kernel/sign', { manifest: { id: 'm' } }, { headers: forged });
      expect(answer.status).toBe(403);
    }
    const operator = await stack()
      .client('OPERATOR')
      .post('/kernel/audit', { type: 'door.opened', payload: {} }, { headers: forged });
    const stored = await stack().client('AUDITOR').get(`/kernel/audit/${operator.json.events[0].id}`);
    expect(stored.json.actor).toEqual({
      id: 'spiffe://kernel.localhost/dev-operator',
      kind: 'service',
      roles: ['Operator'],
    });
  });

  it('refuses to shake hands without a client certificate', async () => {
    await expect(stack().client(null).get('/kernel/security/status')).rejects.toThrow(HANDSHAKE_REFUSED);
  });

  it('refuses to shake hands with a certificate of a foreign authority, whatever it says', async () => {
    const foreign = await (
      await TestCa.create('kernel development CA')
    ).issue({
      subject: [{ CN: ['dev-superadmin'] }],
      names: [{ type: 'url', value: 'spiffe://kernel.localhost/dev-superadmin' }],
    });
    const files = { cert: join(folder, `${randomUUID()}.pem`), key: join(folder, `${randomUUID()}.key`) };
    await writeFile(files.cert, foreign.cert);
    await writeFile(files.key, foreign.key, { mode: 0o600 });
    const client = new MtlsClient(stack().kernels[0]!.apiUrl, {
      ca: stack().identities.caCert,
      identity: files,
    });
    try {
      await expect(client.get('/kernel/security/status')).rejects.toThrow(HANDSHAKE_REFUSED);
    } finally {
      await client.close();
    }
  });

  it('gives a certificate of the right authority with an unknown name no role', async () => {
    const files = await stack().identities.ca.ensure({
      name: 'stranger',
      commonName: 'stranger',
      usage: 'client',
    });
    const client = stack().client(files);
    expect((await client.get('/kernel/audit/head')).status).toBe(403);
    expect((await client.get('/kernel/keys/jwks.json')).status).toBe(200);
  });
});
