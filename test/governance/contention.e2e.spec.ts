import { withStack } from '#dev/testing';
import { type UpgradeWithTimeline } from '#openapi/kernel';
import { ContractClient } from '../contract/contract.client';
import { PersonAtDesk } from './approvers';

describe('fifty approvals and applications of one upgrade at the same time, over two kernels', () => {
  const stack = withStack({ kernels: 2, shards: 3 });

  it('give exactly one application and lose no approval', async () => {
    const operators = [0, 1].map((kernel) => new ContractClient(stack().client('OPERATOR', { kernel })));
    for (let round = 0; round < 3; round++) {
      const id = `contended-${round}`;
      const manifest = { upgradeId: id, type: 'code', target: 'x', rationale: 'because' };
      const submitted = await operators[0]!.post('/kernel/upgrade', { manifest });
      expect(submitted).toMatchObject({ status: 201 });
      const approvals = await Promise.all(
        Array.from({ length: 25 }, async (_, n) => {
          const person = new PersonAtDesk(stack(), (n % 5) + 1, { kernel: n % 2 });
          return { person, body: person.body(await person.record(id)) };
        }),
      );
      const answers = await Promise.all([
        ...approvals.map(({ person, body }) => person.client.post(`/kernel/upgrade/${id}/approve`, body)),
        ...Array.from({ length: 25 }, (_, n) => operators[n % 2]!.post(`/kernel/upgrade/${id}/apply`, {})),
      ]);
      const given = answers.slice(0, 25);
      // Each was recorded, or was a repetition, or came too late: nothing else.
      for (const { status, json } of given) {
        if (status !== 201)
          expect(['approver_already_signed', 'upgrade_already_applied']).toContain(json.error);
      }
      for (const { status, json } of answers.slice(25)) {
        if (status !== 200) expect(json.error).toBe('insufficient_quorum');
      }
      const last = await operators[1]!.post(`/kernel/upgrade/${id}/apply`, {});
      expect(last.status).toBe(200);
      const { timeline } = (await operators[0]!.get(`/kernel/upgrade/${id}`)).json as UpgradeWithTimeline;
      expect(timeline.filter(({ type }) => type === 'upgrade.applied')).toHaveLength(1);
      const recorded = timeline.flatMap(({ payload }) => payload.approvalId ?? []);
      const acknowledged = given.flatMap(({ status, json }) =>
        status === 201 ? [json.approval.id as string] : [],
      );
      expect(new Set(recorded)).toEqual(new Set(acknowledged));
      expect(acknowledged.length).toBeGreaterThanOrEqual(3);
    }
  });
});
