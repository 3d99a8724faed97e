import {
  ARCHIVE_DAY,
  AUDIT_REPORT,
  auditSigningInput,
  checkpointSigningInput,
  dssePae,
  MANIFEST_PAYLOAD_TYPE,
  signerPossessionInput,
} from '#evidence';
import { purposeOfInput } from './purpose-of-input';
import { type BatchPurpose } from './signing-contract';

const ORIGIN = 'kernel.example.com/test';
const pae = (type: string): Uint8Array => dssePae(type, Buffer.from('{}'));
const INPUTS: Record<BatchPurpose, Uint8Array> = {
  'audit-event': auditSigningInput({ origin: ORIGIN, shard: 0, seq: 1, hash: 'ab'.repeat(32) }),
  manifest: pae(MANIFEST_PAYLOAD_TYPE),
  'archive-day': pae(ARCHIVE_DAY.payloadType),
  'audit-report': pae(AUDIT_REPORT.payloadType),
  'signer-possession': signerPossessionInput({
    origin: ORIGIN,
    replaces: 'audit-v1',
    kid: 'audit-v2',
    publicKeySha256: 'cd'.repeat(32),
  }),
};

describe('purposeOfInput', () => {
  it.each(Object.keys(INPUTS) as BatchPurpose[])('knows an input for %s', (purpose) => {
    expect(purposeOfInput(INPUTS[purpose])).toBe(purpose);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a self-test', Buffer.from('illuvrse-kernel/key-self-test/v1\nk\n')],
    ['the beginning of a domain', Buffer.from('illuvrse-kernel/audit-group/v1')],
    [
      'a checkpoint, which has a request of its own',
      checkpointSigningInput({ origin: ORIGIN, shard: 0, size: 41, root: new Uint8Array(32) }),
    ],
    ['an approval', Buffer.from('illuvrse-kernel/approval/v1\n{}')],
    ['a document of another type', pae('application/vnd.example+json')],
  ])('does not know %s', (_what, input) => expect(purposeOfInput(input)).toBeUndefined());
});
