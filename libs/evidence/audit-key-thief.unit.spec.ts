import { fakesOfAuditKeyThief, verifyEvidence } from '#dev/testing';

/** After the compromise of an audit key was handled, its thief goes on: the verifier accepts nothing of it. */
describe('a thief of one audit key', () => {
  const robberies = fakesOfAuditKeyThief();
  const trusts = (robberies[0]?.kernel.trusts() ?? []).map(({ name }) => name);

  it('has many ideas', () => {
    expect(robberies.flatMap(({ fakes }) => fakes).length).toBeGreaterThanOrEqual(45);
  });

  it.each(robberies.slice(0, 2).map(({ kernel }) => [kernel.shards, kernel] as const))(
    'robs a kernel whose evidence holds: %d shards',
    (_shards, kernel) => {
      for (const { trust } of kernel.trusts()) {
        const lines = kernel.lines().flat();
        expect(verifyEvidence(lines, trust, { expectHeads: kernel.heads() })).toEqual([]);
      }
    },
  );

  describe.each(trusts)('against %s', (trustName) => {
    const cases = robberies.flatMap(({ kernel, fakes }) =>
      fakes.map((fake) => [fake.name, fake, kernel] as const),
    );

    it.each(cases)('%s', (_name, { lines }, kernel) => {
      const trust = kernel.trusts().find(({ name }) => name === trustName)?.trust;
      if (trust === undefined) throw new Error(`there is no ${trustName}`);
      expect(verifyEvidence(lines, trust)).not.toEqual([]);
      expect(verifyEvidence(lines, trust, { expectHeads: kernel.heads() })).not.toEqual([]);
    });
  });
});
