import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { Caller } from '../callers.mjs';
import { must, notChecked } from '../verdicts.mjs';

/**
 * One request for each permission that the roles differ in. Permission is judged before input, so an empty body shows who may, by 400
 * instead of 403, and nothing is written.
 */
const DOORS = {
  'read keys': { method: 'GET', path: '/kernel/keys', allowed: 200 },
  'append events': { method: 'POST', path: '/kernel/audit', allowed: 400 },
  'sign manifests': { method: 'POST', path: '/kernel/sign', allowed: 400 },
  'write divisions': { method: 'POST', path: '/kernel/division', allowed: 400 },
  'propose upgrades': { method: 'POST', path: '/kernel/upgrade', allowed: 400 },
  'hold events': { method: 'POST', path: '/kernel/audit/legal-hold', allowed: 400 },
  'rotate keys': { method: 'POST', path: '/kernel/keys/rotate', allowed: 400 },
  'change the mode': { method: 'POST', path: '/kernel/admin/mode', allowed: 400 },
};

const EVERYTHING = Object.keys(DOORS);
const WRITING = ['sign manifests', 'write divisions', 'propose upgrades'];

/** The table of roles of the contract. */
const ROLES = {
  superadmin: { title: 'SuperAdmin', may: EVERYTHING },
  operator: { title: 'Operator', may: ['read keys', 'append events', ...WRITING] },
  'division-lead': { title: 'DivisionLead', may: ['read keys', ...WRITING] },
  auditor: { title: 'Auditor', may: ['read keys'] },
  norole: { title: 'no role', may: [] },
};

async function askDoor(caller, { method, path }) {
  return method === 'GET' ? caller.get(path) : caller.post(path, {});
}

const roleCheck = ([role, { title, may }]) => ({
  criterion: 4,
  name: `certificate of ${title}`,
  async run({ callers }) {
    const caller = callers[role];
    if (caller === undefined) notChecked(`no --${role}-cert is given`);
    const wrong = [];
    for (const [door, request] of Object.entries(DOORS)) {
      const { status } = await askDoor(caller, request);
      const expected = may.includes(door) ? request.allowed : 403;
      if (status !== expected) wrong.push(`${door}: ${status} instead of ${expected}`);
    }
    must(wrong.length === 0, wrong.join('; '));
    const refused = EVERYTHING.filter((door) => !may.includes(door));
    return [
      `may ${may.join(', ') || 'nothing'}`,
      ...(refused.length > 0 ? [`403: ${refused.join(', ')}`] : []),
    ].join('; ');
  },
});

/** What TLS says when a client has not shown what it has to; in TLS 1.3 it may be a closed connection only. */
const REFUSED = /^(ERR_SSL_|ECONNRESET$|EPROTO$)/;

/** Holds that somebody gets no answer at all: no HTTP comes before the certificate. */
async function refusedHandshake({ options, callers: { operator } }, identity, whose) {
  // Otherwise a service that is away would look like one that refuses.
  await operator.get('/kernel/security/status');
  const stranger = new Caller(options, identity);
  try {
    const { status } = await stranger.get('/kernel/security/status');
    must(false, `${whose} was answered, with ${status}`);
  } catch (error) {
    if (!REFUSED.test(error.code ?? '')) throw error;
    return `the handshake is refused (${error.code})`;
  } finally {
    stranger.close();
  }
}

function selfSigned(folder) {
  const files = { cert: join(folder, 'stranger.pem'), key: join(folder, 'stranger.key') };
  const args = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '1',
  ];
  args.push('-subj', '/CN=dev-superadmin', '-out', files.cert, '-keyout', files.key);
  return new Promise((resolve) => {
    execFile('openssl', args, (error) => resolve(error ? null : files));
  });
}

export const roleChecks = [
  {
    criterion: 4,
    name: 'without a certificate',
    run: (context) => refusedHandshake(context, null, 'a client without a certificate'),
  },
  {
    criterion: 4,
    name: 'certificate of another authority',
    async run(context) {
      const identity = await selfSigned(context.folder);
      if (identity === null) notChecked('openssl, which makes one, is not installed');
      return refusedHandshake(context, identity, 'a certificate that it signed itself');
    },
  },
  ...Object.entries(ROLES).map(roleCheck),
];
