import { createHash, generateKeyPairSync } from 'node:crypto';
import { type JsonObject, manifestDigest } from '#evidence';
import { developmentSpiffeId } from '#dev/devstack';
import { type Fake, fakesOf, type Table } from './fake';
import { KEYS, type LiveKernel, refusalOf } from './live-kernel';
import { type Story } from './story';

type Act = (kernel: LiveKernel) => Promise<string[]>;

const own = { division: 'product' };
const manifest = (more: JsonObject = {}) => ({ id: 'release-7', version: '1', ...more });

const lead = (path: string, body: object | ((story: Story) => object)): Act =>
  posting('DIVISION_LEAD', () => path, body);
const admin = (path: string, body: object | ((story: Story) => object)): Act =>
  posting('SUPERADMIN', () => path, body);

function posting(
  caller: 'DIVISION_LEAD' | 'SUPERADMIN',
  path: (story: Story) => string,
  body: object | ((story: Story) => object),
): Act {
  return async (kernel) => {
    const { story } = kernel;
    const sent = typeof body === 'function' ? (body as (story: Story) => object)(story) : body;
    return refusalOf(await kernel.as(caller).post(path(story), sent));
  };
}

function reading(path: (story: Story) => string): Act {
  return async (kernel) => refusalOf(await kernel.as('DIVISION_LEAD').get(path(kernel.story)));
}

const signature = (approverId: string) => ({
  approverId,
  keyId: `${approverId}-key-1`,
  approvedAt: new Date().toISOString(),
  signature: Buffer.alloc(64, 1).toString('base64'),
});

const DIVISION_LEAD: Table<LiveKernel> = [
  [
    'a signature over the manifest of another division',
    'forbidden',
    lead('/kernel/sign', { manifest: manifest({ division: 'finance' }) }),
  ],
  ['a signature over a manifest of no division', 'forbidden', lead('/kernel/sign', { manifest: manifest() })],
  [
    "a signature over the digest of another division's manifest, with the own division beside it",
    'manifest_required',
    lead('/kernel/sign', {
      manifestId: 'release-7',
      version: '1',
      sha256: manifestDigest(manifest({ division: 'finance' })),
      ...own,
    }),
  ],
  [
    'a signature over a digest alone',
    'manifest_required',
    lead('/kernel/sign', { manifestId: 'release-7', version: '1', sha256: 'ab'.repeat(32) }),
  ],
  [
    "a signature over another division's manifest whose division is no text",
    'forbidden',
    lead('/kernel/sign', { manifest: manifest({ division: 7, divisionId: 'finance' }) }),
  ],
  [
    'the authorisation of a deployment',
    'reserved_kind',
    lead('/kernel/sign', { manifest: manifest({ kind: 'deployment-authorization', ...own }) }),
  ],
  [
    "a division's manifest",
    'reserved_kind',
    lead('/kernel/sign', { manifest: manifest({ kind: 'division-manifest', ...own }) }),
  ],
  [
    'a version of another division',
    'forbidden',
    lead('/kernel/division', { id: 'finance', budget: 0, version: 1 }),
  ],
  [
    'a division of their own making',
    'forbidden',
    lead('/kernel/division', { id: 'shadow', budget: 1_000_000 }),
  ],
  [
    'an agent of another division',
    'forbidden',
    lead('/kernel/agent', (story: Story) => ({
      divisionId: 'finance',
      template: { auditId: story.template },
    })),
  ],
  [
    "an agent from another division's template",
    'invalid_template',
    lead('/kernel/agent', (story: Story) => ({
      divisionId: 'product',
      template: { auditId: story.template },
    })),
  ],
  [
    'an agent from an event that is no signature',
    'template_not_recorded',
    lead('/kernel/agent', (story: Story) => ({ divisionId: 'product', template: { auditId: story.event } })),
  ],
  [
    'an agent from a genuine envelope of another division, with another manifest',
    'invalid_signature',
    lead('/kernel/agent', (story: Story) => ({
      divisionId: 'product',
      template: { manifest: manifest(own), envelope: story.envelope },
    })),
  ],
  [
    "the start of another division's agent",
    'forbidden',
    posting('DIVISION_LEAD', ({ agent }) => `/kernel/agent/${agent}/state`, {
      state: 'running',
      reason: 'x',
    }),
  ],
  [
    "an evaluation of another division's agent",
    'forbidden',
    lead('/kernel/eval', ({ agent }: Story) => ({ agentId: agent, metricSet: { a: 1 } })),
  ],
  [
    "money for another division's agent",
    'forbidden',
    lead('/kernel/allocate', ({ agent }: Story) => ({ agentId: agent, delta: 1, reason: 'x' })),
  ],
  [
    "another division's money",
    'forbidden',
    lead('/kernel/allocate', { divisionId: 'finance', delta: 1, reason: 'x' }),
  ],
  [
    "the release of another division's money",
    'forbidden',
    lead('/kernel/allocate', { divisionId: 'finance', delta: -1, reason: 'x' }),
  ],
  [
    "own money for another division's agent",
    'forbidden',
    lead('/kernel/allocate', ({ agent }: Story) => ({
      divisionId: 'product',
      agentId: agent,
      delta: 1,
      reason: 'x',
    })),
  ],
  [
    'more money than the budget has',
    'over_budget',
    lead('/kernel/allocate', { divisionId: 'product', delta: 1_000_000, reason: 'x' }),
  ],
  [
    'an event of their choice',
    'forbidden',
    lead('/kernel/audit', { type: 'door.opened', payload: { ...own } }),
  ],
  ["another division's event", 'forbidden', reading(({ event }) => `/kernel/audit/${event}`)],
  ["another division's manifest", 'forbidden', reading(() => '/kernel/division/finance')],
  ["another division's agent", 'forbidden', reading(({ agent }) => `/kernel/agent/${agent}`)],
  ["what another division's agent rests on", 'forbidden', reading(({ agent }) => `/kernel/reason/${agent}`)],
  [
    'a legal hold',
    'forbidden',
    lead('/kernel/audit/legal-hold', ({ event }: Story) => ({ eventId: event, hold: false, reason: 'x' })),
  ],
  ['a mode of the kernel', 'forbidden', lead('/kernel/admin/mode', { mode: 'safe-mode', reason: 'x' })],
  ['a new key', 'forbidden', lead('/kernel/keys/candidates', { kid: 'kernel-lead-v1', purposes: ['audit'] })],
  ['the rotation of a key', 'forbidden', lead('/kernel/keys/rotate', { purpose: 'audit' })],
  ['the end of a key', 'forbidden', lead(`/kernel/keys/${KEYS.audit}/retire`, { reason: 'x' })],
  ['the compromise of a key', 'forbidden', lead(`/kernel/keys/${KEYS.audit}/compromise`, { reason: 'x' })],
  [
    "an approver's approval",
    'forbidden',
    posting('DIVISION_LEAD', ({ upgrade }) => `/kernel/upgrade/${upgrade}/approve`, signature('approver-1')),
  ],
  [
    "an approver's rejection",
    'forbidden',
    posting('DIVISION_LEAD', ({ upgrade }) => `/kernel/upgrade/${upgrade}/reject`, signature('approver-1')),
  ],
  [
    'the application of an upgrade',
    'forbidden',
    posting('DIVISION_LEAD', ({ upgrade }) => `/kernel/upgrade/${upgrade}/apply`, {}),
  ],
  [
    'an emergency',
    'forbidden',
    posting('DIVISION_LEAD', ({ upgrade }) => `/kernel/upgrade/${upgrade}/emergency-apply`, { reason: 'x' }),
  ],
  [
    "the withdrawal of another's upgrade",
    'not_the_proposer',
    posting('DIVISION_LEAD', ({ upgrade }) => `/kernel/upgrade/${upgrade}/withdraw`, { reason: 'x' }),
  ],
  [
    'the check of a precondition',
    'forbidden',
    posting('DIVISION_LEAD', ({ upgrade }) => `/kernel/upgrade/${upgrade}/check`, {
      name: 'x',
      passed: true,
    }),
  ],
  [
    "an upgrade in an approver's name",
    'forbidden',
    lead('/kernel/upgrade', {
      manifest: { upgradeId: 'of-the-lead', type: 'manifest', target: 'x', rationale: 'x' },
      submittedBy: 'approver-1',
    }),
  ],
  [
    "the revocation of an approver's key",
    'forbidden',
    lead('/kernel/approvers/approver-1/keys/approver-1-key-1/revoke', { reason: 'x' }),
  ],
  ['a credential of an approver', 'forbidden', lead('/kernel/approvers/approver-1/webauthn/challenge', {})],
];

const event = (type: string, stream?: string): JsonObject => ({
  type,
  payload: {},
  ...(stream === undefined ? {} : { stream }),
});

/** A pool that the SuperAdmin would like: they alone, by a key of theirs. */
function ownPool(): JsonObject {
  const { publicKey } = generateKeyPairSync('ed25519');
  return {
    threshold: 1,
    approvers: [
      {
        id: 'thief',
        name: 'Thief',
        contact: null,
        principals: [developmentSpiffeId('dev-superadmin')],
        keys: [
          {
            keyId: 'thief-key-1',
            algorithm: 'ed25519',
            publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
          },
        ],
      },
    ],
  };
}

const propose = (more: JsonObject): Act =>
  admin('/kernel/upgrade', {
    manifest: {
      upgradeId: `of-the-admin-${createHash('sha256').update(JSON.stringify(more)).digest('hex').slice(0, 8)}`,
      rationale: 'x',
      ...more,
    },
  });

const SUPER_ADMIN: Table<LiveKernel> = [
  [
    'the authorisation of a deployment',
    'reserved_kind',
    admin('/kernel/sign', { manifest: manifest({ kind: 'deployment-authorization' }) }),
  ],
  [
    "a division's manifest",
    'reserved_kind',
    admin('/kernel/sign', { manifest: manifest({ kind: 'division-manifest' }) }),
  ],
  ['an event of an upgrade', 'reserved_name', admin('/kernel/audit', event('upgrade.applied'))],
  [
    'an event in the stream of an upgrade',
    'reserved_name',
    admin('/kernel/audit', event('thing.changed', 'upgrade/upg-1')),
  ],
  [
    'an event of the approver pool',
    'reserved_name',
    admin('/kernel/audit', event('approver_pool.registered')),
  ],
  ['an event of a signer', 'reserved_name', admin('/kernel/audit', event('signer.added', 'signer/thief'))],
  [
    'an event in the stream of a signer',
    'reserved_name',
    admin('/kernel/audit', event('thing.changed', 'signer/thief')),
  ],
  ['a founding', 'reserved_name', admin('/kernel/audit', event('kernel.founded', 'kernel/founding'))],
  ['a change of the mode that was none', 'reserved_name', admin('/kernel/audit', event('mode.changed'))],
  ['a signature that was none', 'reserved_name', admin('/kernel/audit', event('manifest.signed'))],
  [
    'a repair that was none',
    'reserved_name',
    admin('/kernel/audit', event('store.repaired', 'kernel/store')),
  ],
  [
    "an approver's approval",
    'forbidden',
    posting('SUPERADMIN', ({ upgrade }) => `/kernel/upgrade/${upgrade}/approve`, signature('approver-1')),
  ],
  [
    "an approver's rejection",
    'forbidden',
    posting('SUPERADMIN', ({ upgrade }) => `/kernel/upgrade/${upgrade}/reject`, signature('approver-1')),
  ],
  [
    'a quorum',
    'insufficient_quorum',
    posting('SUPERADMIN', ({ upgrade }) => `/kernel/upgrade/${upgrade}/apply`, {}),
  ],
  [
    'a quorum, in the names of approvers',
    'forbidden',
    posting('SUPERADMIN', ({ upgrade }) => `/kernel/upgrade/${upgrade}/apply`, { appliedBy: 'approver-1' }),
  ],
  [
    "an upgrade in an approver's name",
    'forbidden',
    admin('/kernel/upgrade', {
      manifest: { upgradeId: 'in-a-name', type: 'manifest', target: 'x', rationale: 'x' },
      submittedBy: 'approver-1',
    }),
  ],
  [
    "the withdrawal of another's upgrade",
    'not_the_proposer',
    posting('SUPERADMIN', ({ upgrade }) => `/kernel/upgrade/${upgrade}/withdraw`, { reason: 'x' }),
  ],
  [
    'the check of an upgrade of their own',
    'self_check',
    async (kernel) => {
      const upgrade = { upgradeId: 'with-a-check', type: 'manifest', target: 'x', rationale: 'x' };
      const body = { manifest: { ...upgrade, preconditions: ['tests'] } };
      const proposed = refusalOf(await kernel.as('SUPERADMIN').post('/kernel/upgrade', body));
      if (proposed.length > 0) throw new Error(proposed.join());
      const path = '/kernel/upgrade/with-a-check/check';
      return refusalOf(await kernel.as('SUPERADMIN').post(path, { name: 'tests', passed: true }));
    },
  ],
  [
    'the rollback of what was never applied',
    'invalid_manifest',
    posting('SUPERADMIN', ({ upgrade }) => `/kernel/upgrade/${upgrade}/rollback`, { rationale: 'x' }),
  ],
  [
    'a pool with a threshold of nobody',
    'invalid_manifest',
    propose({ type: 'approver_pool', pool: { ...ownPool(), threshold: 0 } }),
  ],
  [
    'a pool in which one key is three people',
    'invalid_manifest',
    (kernel) => {
      const [one] = ownPool()['approvers'] as JsonObject[];
      const approvers = [1, 2, 3].map((n) => ({
        ...one,
        id: `thief-${n}`,
        principals: [`spiffe://kernel.localhost/t${n}`],
      }));
      return propose({ type: 'approver_pool', pool: { threshold: 3, approvers } })(kernel);
    },
  ],
  [
    'a pool of a key that is weak',
    'invalid_manifest',
    (kernel) => {
      const [one] = ownPool()['approvers'] as JsonObject[];
      // The neutral element: any signature of a certain form is valid under it.
      const der = Buffer.concat([
        Buffer.from('302a300506032b6570032100', 'hex'),
        Buffer.of(1),
        Buffer.alloc(31),
      ]);
      const publicKeyPem = `-----BEGIN PUBLIC KEY-----\n${der.toString('base64')}\n-----END PUBLIC KEY-----\n`;
      const approvers = [{ ...one, keys: [{ keyId: 'k', algorithm: 'ed25519', publicKeyPem }] }];
      return propose({ type: 'approver_pool', pool: { threshold: 1, approvers } })(kernel);
    },
  ],
  [
    'the end of the key in force',
    'key_in_force',
    admin(`/kernel/keys/${KEYS.audit}/retire`, { reason: 'x' }),
  ],
  [
    'the end of a key that nobody has',
    'signer_not_found',
    admin('/kernel/keys/thief-v1/retire', { reason: 'x' }),
  ],
  [
    'a compromise from a time to come on',
    'invalid_since',
    admin(`/kernel/keys/${KEYS.audit}/compromise`, {
      reason: 'x',
      since: { ts: '2099-01-01T00:00:00.000Z' },
    }),
  ],
  [
    'a compromise from a position that does not exist on',
    'invalid_since',
    admin(`/kernel/keys/${KEYS.audit}/compromise`, { reason: 'x', since: { shard: 0, seq: 999_999 } }),
  ],
  [
    'the ratification of an emergency of theirs, in the name of an approver',
    'forbidden',
    posting('SUPERADMIN', ({ emergency }) => `/kernel/upgrade/${emergency}/ratify`, signature('approver-1')),
  ],
  [
    'an emergency of theirs as an upgrade that was approved',
    'upgrade_already_applied',
    posting('SUPERADMIN', ({ emergency }) => `/kernel/upgrade/${emergency}/apply`, {}),
  ],
  [
    'an emergency of theirs as completed',
    'not_applied',
    posting('SUPERADMIN', ({ emergency }) => `/kernel/upgrade/${emergency}/complete`, {
      outcome: 'completed',
    }),
  ],
  [
    'the vote of a pool that they put in place in an emergency',
    'forbidden',
    posting('SUPERADMIN', ({ emergency }) => `/kernel/upgrade/${emergency}/ratify`, {
      ...signature('thief'),
      keyId: 'thief-key-1',
    }),
  ],
  [
    'another pool while that of an emergency is not ratified',
    'unsettled',
    async (kernel) => {
      const id = await kernel.propose({ type: 'approver_pool', pool: ownPool() });
      return refusalOf(
        await kernel.as('SUPERADMIN').post(`/kernel/upgrade/${id}/emergency-apply`, { reason: 'x' }),
      );
    },
  ],
  [
    'governance without approvers, by revoking their keys',
    'below_threshold',
    async (kernel) => {
      const words: string[] = [];
      for (let n = 5; n > 0 && words.length === 0; n--) {
        const path = `/kernel/approvers/approver-${n}/keys/approver-${n}-key-1/revoke`;
        words.push(...refusalOf(await kernel.as('SUPERADMIN').post(path, { reason: 'lost' })));
      }
      return words;
    },
  ],
];

/** What people try who have a role. */
export const PEOPLE_FAKES: Fake<LiveKernel>[] = [
  ...fakesOf('division-lead', DIVISION_LEAD),
  ...fakesOf('super-admin', SUPER_ADMIN),
];
