import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { browserBuild } from '../browser-build.fixture';
import * as door from '../index';

interface Case {
  name: string;
  signers?: object;
  policy?: string;
  verified: boolean;
  faults?: string[];
}
interface Recorded {
  event: string;
  receipt: string;
}

const { signers, events, manifests } = JSON.parse(
  readFileSync(join(__dirname, '../../../docs/spec/vectors/receipts.json'), 'utf8'),
) as {
  signers: object;
  events: (Case & Recorded)[];
  manifests: (Case & { manifest: string; envelope: string; record: Recorded | null })[];
};

describe.each([
  ['in Node.js', () => door],
  ['in the build for browsers', () => browserBuild()],
] as const)('the vectors of events and signatures alone, %s', (_where, load) => {
  let evidence: typeof door;
  beforeAll(() => {
    evidence = load();
  });

  function given({ signers: own = signers, policy }: Case): {
    trust: door.TrustRoot;
    policy?: door.LogPolicy;
  } {
    const file = evidence.parseSignersFile(JSON.stringify(own));
    return {
      trust: evidence.trustRootOf(file, file.origin ?? ''),
      ...(policy === undefined ? {} : { policy: evidence.parseLogPolicy(policy) }),
    };
  }
  const read = ({ event, receipt }: Recorded): { event: Uint8Array; receipt: string } => ({
    event: Uint8Array.from(Buffer.from(event, 'base64')),
    receipt,
  });
  const words = (faults: readonly string[]): string[] =>
    [...new Set(faults.map((fault) => fault.slice(0, fault.indexOf(':'))))].sort();

  it.each(events)('an event: $name', (one) => {
    const { faults } = evidence.verifyReceipt({ ...read(one), ...given(one) });
    expect({ verified: faults.length === 0, faults: words(faults) }).toEqual({
      verified: one.verified,
      faults: one.faults ?? [],
    });
  });

  it.each(manifests)('a signature: $name', (one) => {
    const { manifest, envelope } = one;
    const record = one.record === null ? null : read(one.record);
    const { faults } = evidence.verifyRecordedManifest({ manifest, envelope, record, ...given(one) });
    expect({ verified: faults.length === 0, faults: words(faults) }).toEqual({
      verified: one.verified,
      faults: one.faults ?? [],
    });
  });
});
