import { z } from 'zod';
import { archiveReaderSettings } from '#platform/archive';
import { serverTlsSettings, roleBindings } from '#platform/edge';
import {
  certificateFile,
  type ConfigOf,
  decimal,
  defineConfig,
  flag,
  json,
  list,
  matching,
  oneOf,
  path,
  pattern,
  port,
  processSettings,
  readableFile,
  text,
  url,
  wholeNumber,
} from '#platform/process';
import {
  type ApproverPool,
  EvidenceError,
  type JsonValue,
  MAX_GROUP_EVENTS,
  MAX_SHARDS,
  readApproverPool,
} from '#evidence';
import { DEFAULT_POLICY } from '#modules/governance';
import { peopleSettings } from '#modules/people';
import { webhookEntries } from '#platform/webhooks';

/** The format of docs/spec/approval.md, section 3, read by the code that reads it from the chain. */
const approverPool = z.unknown().transform((value, context): ApproverPool => {
  try {
    return readApproverPool(value as JsonValue);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    context.addIssue({ code: 'custom', message: `${error.message} (at ${error.pointer ?? '/'})` });
    return z.NEVER;
  }
});

/** In development also a few seconds, so that a window can be seen to end. */
const hours = () => decimal({ min: 0.0002, max: 8_784 });

/** Every setting of the kernel process; docs/configuration.md is generated from it. */
export const kernelConfig = defineConfig({
  KERNEL_ORIGIN: {
    schema: matching(/^[a-z0-9]([a-z0-9._/-]{0,253}[a-z0-9])?$/, 'a name such as kernel.example.com/prod'),
    description:
      "This kernel's name. It is part of every hash and signature: a chain cannot be passed off as another deployment's, and the name cannot be changed later.",
  },
  KERNEL_SHARDS: {
    schema: wholeNumber({ min: 1, max: MAX_SHARDS }),
    description: 'How many chains the events are spread over. Fixed once the database has been migrated.',
    default: 1,
  },
  DATABASE_URL: {
    schema: url('postgres', 'postgresql'),
    description: 'PostgreSQL, as the runtime role: it can append to the event store and nothing else.',
    secret: true,
    rotates: true,
  },
  KERNEL_DATABASE_CONNECTIONS: {
    schema: wholeNumber({ min: 3, max: 200 }),
    description:
      'Most connections in the pool of this process. Appends need one per shard, reads take what is left; more is not faster. Four more are outside the pool: one hears of changes of the mode, and three stand for election (coordinator of upgrades, notifications, webhooks).',
    default: 10,
  },
  KERNEL_ROW_KEY_FILE: {
    schema: readableFile(),
    description:
      'The secret that authenticates rows which the kernel acts on later (stored answers, modes, sessions), and that the secrets of webhooks and sessions are derived from: a line with the base64 of 32 random bytes, the same for all kernel processes, and never in the database. While it is replaced, two lines: the first is used, both are accepted.',
  },
  KERNEL_TRUST_ROOT_FILE: {
    schema: readableFile().optional(),
    description:
      'A signers.json with the audit keys to trust when events are read from the database; keys that these add to the chain later are trusted too. Without it the keys with which the kernel was founded are trusted: before its founding there is no such file.',
  },
  KERNEL_LOG_POLICY_FILE: {
    schema: readableFile().optional(),
    description:
      'The c2sp.org/tlog-policy that the log publisher obeys: signers.json tells verifiers to ask for the same cosignatures. Without it they are told to ask for none.',
  },
  KERNEL_API_HOST: {
    schema: text(),
    description: 'Address on which the service API listens.',
    default: '0.0.0.0',
  },
  KERNEL_API_PORT: {
    schema: port(),
    description: 'Port of the service API (HTTPS, mutual TLS).',
    default: 8443,
  },
  ...serverTlsSettings("The service API's"),
  KERNEL_ROLE_BINDINGS: {
    schema: json(
      roleBindings,
      'a list such as [{"cn":"deployer.example.com","role":"Operator"},{"spiffe":"spiffe://example.com/ci","role":"DivisionLead","division":"product"}]',
    ),
    description:
      'Which role a client certificate has, by its common name or SPIFFE URI. A certificate that is not named has none.',
    fromFile: true,
  },
  KMS_ENDPOINT: {
    schema: url('https'),
    description: 'The signing proxy, or any other server that answers as openapi/signing-proxy.yaml says.',
  },
  KMS_CA_FILE: {
    schema: certificateFile('authorities'),
    description: "The authority (PEM) of the signing proxy's certificate.",
  },
  KMS_CLIENT_CERT_FILE: {
    schema: certificateFile(),
    description: "This process's client certificate (PEM) for the signing proxy.",
  },
  KMS_CLIENT_KEY_FILE: { schema: readableFile(), description: 'Its private key (PEM).' },
  KMS_TIMEOUT_MS: {
    schema: wholeNumber({ min: 100, max: 10_000 }),
    description:
      'How long a signature may take in all before a write is refused as signing_unavailable. What waits in line answers within half a second more, so the default keeps the promise of 2 s.',
    default: 1_200,
    unit: 'ms',
  },
  KERNEL_MAX_EVENTS_PER_SIGNATURE: {
    schema: wholeNumber({ min: 1, max: MAX_GROUP_EVENTS }),
    description:
      'How many events that are committed together one signature may be over (docs/spec/audit-event.md, section 4); 1 gives each event a signature of its own. What an HSM or a KMS signs, and what it costs, goes down by as much.',
    default: MAX_GROUP_EVENTS,
  },
  REQUIRE_KMS: {
    schema: flag().optional(),
    description:
      'Register and use keys in an HSM or a KMS only, and do not start with any other. Always so in production, where false is refused.',
  },
  SIGNER_ID: {
    schema: matching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/, 'the name of a key').optional(),
    description:
      'The audit key (kid) that a new chain begins with, where the signing proxy holds several. Once one is registered, the chain says which key signs.',
  },
  KERNEL_ALLOW_SOFTHSM: {
    schema: flag(),
    description:
      'Take keys in SoftHSM for keys in an HSM, in production and with REQUIRE_KMS too. For rehearsals.',
    default: false,
  },
  OPENAPI_PATH: {
    schema: path(),
    description:
      'The OpenAPI document that every request is checked against. Missing or invalid, it stops the start.',
    default: 'openapi/kernel.yaml',
  },
  KERNEL_ADMIN_UI_FOLDER: {
    schema: path(),
    description:
      'The admin UI as it was built, for the listener for people. In production a missing or changed file of it stops the start; in development there is a plain page instead.',
    default: 'admin-ui',
  },
  KERNEL_BODY_LIMIT_BYTES: {
    schema: wholeNumber({ min: 65_536, max: 67_108_864 }),
    description: 'Largest request body.',
    default: 8_388_608,
    unit: 'bytes',
  },
  KERNEL_QUEUE_LIMIT: {
    schema: wholeNumber({ min: 256, max: 65_536 }),
    description: 'Most writes waiting per shard; past it they are refused with 503 and Retry-After.',
    default: 4_096,
  },
  KERNEL_MAX_CLOCK_JUMP_SECONDS: {
    schema: wholeNumber({ min: 1, max: 86_400 }),
    description:
      "How far this process's clock may be ahead of the database server's, or jump, before its writes are refused as clock_jumped: a time once in the chain cannot be taken back.",
    default: 60,
    unit: 's',
  },
  KERNEL_AWAIT_TIMEOUT_MS: {
    schema: wholeNumber({ min: 100, max: 60_000 }),
    description:
      'How long a write with Kernel-Await waits until it is published, archived or in the log before it is answered with 202.',
    default: 10_000,
    unit: 'ms',
  },
  KERNEL_AWAIT_LIMIT: {
    schema: wholeNumber({ min: 1, max: 1_500 }),
    description: 'Most writes that wait this way at the same time; more are answered with 202 at once.',
    default: 500,
  },
  ...archiveReaderSettings('the published log is read for receipts and entry bundles'),
  KERNEL_DIRECT_KEY_ROTATION: {
    schema: json(
      z.array(z.enum(['audit', 'manifest', 'checkpoint'])),
      'a list of purposes such as ["checkpoint"]',
    ),
    description:
      'Purposes whose keys a SuperAdmin rotates without an upgrade. For all others it takes the quorum of an upgrade of type signer_rotation.',
    default: '[]',
  },
  KERNEL_KEY_OVERLAP_SECONDS: {
    schema: wholeNumber({ min: 1, max: 31_536_000 }),
    description:
      'How long a key that was replaced stays valid at least before it can be retired. Every kernel process has to have heard of the new one by then.',
    default: 3_600,
    unit: 's',
  },
  KERNEL_KEY_MAX_AGE_DAYS: {
    schema: wholeNumber({ min: 1, max: 3_650 }),
    description:
      'Age at which a key in force is due for rotation, which is recorded and shown in the metrics.',
    default: 365,
    unit: 'd',
  },
  KERNEL_APPROVER_POOL: {
    schema: json(
      approverPool,
      'an approver pool such as {"threshold":3,"approvers":[{"id":"ada","name":"Ada","contact":null,"principals":["ada.example.com"],"keys":[{"keyId":"ada-1","algorithm":"ed25519","publicKeyPem":"-----BEGIN PUBLIC KEY-----..."}]}]}',
    ).optional(),
    description:
      'Who decides about upgrades (docs/spec/approval.md). Registered at the first start, where the chain has no pool yet; after that it says nothing, because the pool changes by upgrades alone. Without it there are no upgrades.',
    fromFile: true,
  },
  KERNEL_UPGRADE_TYPES: {
    schema: pattern().optional(),
    description:
      'Types of upgrades that the organisation has beside the kernel’s own, such as `policy_activation`: a regular expression for the whole word. They are treated as `code` is: the kernel changes nothing in itself, and signs a deployment authorisation.',
  },
  KERNEL_APPROVAL_TTL_HOURS: {
    schema: hours(),
    description: 'How long an approval counts, until an upgrade of type policy says otherwise.',
    default: DEFAULT_POLICY.approvalTtlHours,
    unit: 'h',
  },
  KERNEL_PROPOSAL_TTL_HOURS: {
    schema: hours(),
    description:
      'How long a proposal may take until it expires, until an upgrade of type policy says otherwise.',
    default: DEFAULT_POLICY.proposalTtlHours,
    unit: 'h',
  },
  KERNEL_RATIFICATION_HOURS: {
    schema: hours(),
    description:
      'How long an emergency application may wait for its ratification until it is rolled back, until an upgrade of type policy says otherwise.',
    default: DEFAULT_POLICY.ratificationHours,
    unit: 'h',
  },
  KERNEL_WEBAUTHN_RP_ID: {
    schema: matching(
      /^(localhost|(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63})$/,
      'a domain such as kernel.example.com',
    ).optional(),
    description:
      'The relying party of WebAuthn credentials that are registered here: the domain of the pages that approvers sign on, or one above it. It cannot be changed without new credentials. Without it none are registered.',
  },
  KERNEL_WEBAUTHN_ORIGINS: {
    schema: list(url('https', 'http'), 'web origins such as https://kernel.example.com').optional(),
    description:
      'The web origins of those pages, within the relying party. Only https, except on localhost in development.',
  },
  KERNEL_WEBAUTHN_SYNCED: {
    schema: oneOf('allow', 'refuse'),
    description:
      'Passkeys that their provider may copy to other devices of their owner (the flag BE of WebAuthn). With refuse none is registered, no pool with a new one can be proposed, and no signature of one is taken, also when it is in the pool already (docs/governance.md). Set it when enough approvers have another key. The same for all kernel processes.',
    default: 'allow',
  },
  KERNEL_WEBHOOKS: {
    schema: json(
      webhookEntries,
      'a list such as [{"name":"on-call","url":"https://hooks.example.com/kernel","secretFile":"/run/secrets/on-call","types":["upgrade.emergency_applied","upgrade.unratified"]}]',
    ),
    description:
      'Endpoints that are told about upgrades, by signed webhooks (docs/governance.md). Each has a secret in a file of its own: a line with whsec_ and base64, two while it is replaced. Without types it gets every notification; caFile names authorities (PEM) to trust in place of the usual ones.',
    default: '[]',
    fromFile: true,
  },
  KERNEL_WEBHOOK_TIMEOUT_MS: {
    schema: wholeNumber({ min: 100, max: 60_000 }),
    description: 'How long a receiver may take to accept a notification, or an event.',
    default: 10_000,
    unit: 'ms',
  },
  KERNEL_WEBHOOK_RETRY_MS: {
    schema: wholeNumber({ min: 10, max: 3_600_000 }),
    description:
      'About how long after the first failure a notification, or an event to a webhook, is sent again. Each further wait is four times as long, up to six hours.',
    default: 5_000,
    unit: 'ms',
  },
  KERNEL_WEBHOOK_ATTEMPTS: {
    schema: wholeNumber({ min: 1, max: 100 }),
    description:
      'Number of failures after which a notification, or an event to a webhook, goes to the dead letters.',
    default: 12,
  },
  KERNEL_WEBHOOK_EXPIRING_HOURS: {
    schema: wholeNumber({ min: 1, max: 8_784 }),
    description:
      'How long before its end a proposal or a ratification is announced as expiring, but never in the first three quarters of its time.',
    default: 48,
    unit: 'h',
  },
  KERNEL_WEBHOOK_NETWORKS: {
    schema: list(
      matching(/^[0-9a-fA-F.:]+\/\d{1,3}$/, 'a network such as 10.20.0.0/16'),
      'networks such as 10.20.0.0/16,fd00:20::/32',
    ).optional(),
    description:
      'Networks that webhooks may lead to although they are not public. Without it, private, loopback and link-local addresses are refused, when a webhook is subscribed and at each connection.',
  },
  KERNEL_WEBHOOK_CA_FILE: {
    schema: certificateFile('authorities').optional(),
    description:
      'Authorities (PEM) of the certificates of webhooks, beside the usual ones: for receivers inside the organisation. Read again when it changes.',
  },
  ...peopleSettings,
  ...processSettings(8444),
});

export type KernelConfig = ConfigOf<typeof kernelConfig>;
