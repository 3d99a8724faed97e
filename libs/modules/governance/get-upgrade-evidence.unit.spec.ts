import { type AuditEvent } from '#evidence';
import { UpgradedKernel } from '#dev/testing';
import { type StoredEvent } from '#platform/event-store';
import { GetUpgradeEvidence, GetUpgradeEvidenceHandler } from './get-upgrade-evidence.handler';
import { type GovernanceOptions } from './governance.ports';
import { type GovernanceReader } from './governance.reader';
import { type PublishedProofs } from './published-proofs';

describe('the evidence of an upgrade', () => {
  const kernel = new UpgradedKernel().upgrade();
  const { chain, manifest } = kernel;
  const log = kernel.log();
  const stored = (fits: (event: AuditEvent) => boolean): StoredEvent[] =>
    chain.events.flatMap((event, i) => {
      const bytes = chain.bytes[i];
      return bytes !== undefined && fits(event) ? [{ event, bytes }] : [];
    });
  const upgrade = stored(({ stream }) => stream === 'upgrade/upg-7');

  /** @param grows how many of the upgrade's events come in while proofs are fetched, one each time */
  async function proven(grows: number): Promise<{ events: number; proofs: number; reads: number }> {
    let reads = 0;
    const existing = async () => {
      reads++;
      const have = upgrade.length - grows + Math.min(reads - 1, grows);
      return { state: { document: manifest }, events: upgrade.slice(0, have) };
    };
    const reader = {
      existing,
      pool: async () => ({ state: null, events: stored(({ stream }) => stream === 'approver_pool/kernel') }),
      registryEvents: async () => stored(({ seq }) => seq === 1),
    } as unknown as GovernanceReader;
    const proofs = {
      of: async (_shard: number, seqs: readonly number[]) => seqs.map((seq) => log.receipt(seq)),
    } as unknown as PublishedProofs;
    const options = { origin: chain.origin, now: () => new Date(0) } as GovernanceOptions;
    const handler = new GetUpgradeEvidenceHandler(reader, options, proofs);
    const file = await handler.execute(new GetUpgradeEvidence('upg-7'));
    const events = 1 + file.events.length + file.pool.length + file.signers.length;
    return { events, proofs: file.proofs.length, reads };
  }

  it('has a proof of each event, also of those that came in meanwhile', async () => {
    for (const grows of [0, 1, 4]) {
      const { events, proofs } = await proven(grows);
      expect({ grows, proofs }).toEqual({ grows, proofs: events });
      expect(events).toBe(2 + upgrade.length);
    }
  });

  it('has no proofs, and so is not anchored, while events never stop coming', async () => {
    expect(await proven(6)).toMatchObject({ proofs: 0, reads: 6 });
  });
});
