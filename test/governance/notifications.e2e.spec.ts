import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ReceivedWebhook, WebhookReceiver, withStack } from '#dev/testing';
import { ContractClient } from '../contract/contract.client';
import { PersonAtDesk } from './approvers';

const folder = mkdtempSync(join(tmpdir(), 'kernel-test-webhooks-'));
let everything: WebhookReceiver;
let alarms: WebhookReceiver;

beforeAll(async () => {
  everything = await WebhookReceiver.start();
  alarms = await WebhookReceiver.start();
});
afterAll(async () => {
  await everything.stop();
  await alarms.stop();
  rmSync(folder, { recursive: true, force: true });
});

const WINDOW = (12 / 3_600).toFixed(9);

describe('notifications about upgrades, with two kernels', () => {
  const stack = withStack({
    kernels: 2,
    shards: 3,
    kernelVariables: (_, n) => {
      const endpoint = (name: string, receiver: WebhookReceiver, more: object = {}) => {
        const secretFile = join(folder, name);
        writeFileSync(secretFile, `${receiver.secret}\n`, { mode: 0o600 });
        return { name, url: receiver.url, secretFile, ...more };
      };
      return {
        KERNEL_WEBHOOKS: JSON.stringify([
          endpoint('everything', everything),
          endpoint('alarms', alarms, { types: ['upgrade.emergency_applied', 'upgrade.unratified'] }),
        ]),
        // The receivers run in the process of the test, which is sometimes busy with other things.
        KERNEL_WEBHOOK_TIMEOUT_MS: '30000',
        KERNEL_WEBHOOK_RETRY_MS: '50',
        KERNEL_WEBHOOK_ATTEMPTS: '4',
        // What is proposed through the first kernel has twelve seconds; through the second, days.
        ...(n === 0 && { KERNEL_PROPOSAL_TTL_HOURS: WINDOW, KERNEL_RATIFICATION_HOURS: WINDOW }),
      };
    },
  });
  const operator = () => new ContractClient(stack().client('OPERATOR', { kernel: 1 }));
  const superadmin = () => new ContractClient(stack().client('SUPERADMIN', { kernel: 1 }));
  const person = (n: number) => new PersonAtDesk(stack(), n, { kernel: 1 });
  const about = (id: string, receiver = everything) =>
    receiver.received.filter(({ body }) => body.data['upgradeId'] === id);
  const told = (of: string, type: string) => (one: ReceivedWebhook) =>
    one.body.data['upgradeId'] === of && one.type === `upgrade.${type}`;

  async function propose(id: string, kernel = 1): Promise<void> {
    const manifest = { upgradeId: id, type: 'code', target: 'api', rationale: 'a fix' };
    const client = new ContractClient(stack().client('OPERATOR', { kernel }));
    expect((await client.post('/kernel/upgrade', { manifest })).status).toBe(201);
  }

  it('follow an upgrade, signed, and name what happened', async () => {
    await propose('told-1');
    for (const n of [1, 2, 3]) expect((await person(n).sign('told-1')).status).toBe(201);
    await operator().post('/kernel/upgrade/told-1/apply', {});
    await everything.until(told('told-1', 'applied'));
    const types = about('told-1').map(({ type }) => type.replace('upgrade.', ''));
    expect(types.sort()).toEqual(['applied', 'approved', 'last_signature_needed', 'proposed']);
    expect(about('told-1').every(({ authentic }) => authentic)).toBe(true);
    const [needed] = everything.received.filter(told('told-1', 'last_signature_needed'));
    expect(needed?.body.data).toMatchObject({
      origin: stack().origin,
      status: 'proposed',
      quorum: { missing: 1, approvers: ['approver-1', 'approver-2'] },
      position: expect.stringMatching(/^\d+:\d+$/),
    });
    expect(alarms.received).toEqual([]);
  });

  it('come to those who want only some of them', async () => {
    await propose('told-2');
    await superadmin().post('/kernel/upgrade/told-2/emergency-apply', { reason: 'it burns' });
    const [fire] = await alarms.until(told('told-2', 'emergency_applied'));
    expect(fire?.body.data).toMatchObject({ reason: 'it burns', ratifyBy: expect.any(String) });
    expect(about('told-2', alarms)).toHaveLength(1);
  });

  it('come before a deadline, and when it has passed', async () => {
    await propose('told-late', 0);
    await propose('told-fire', 0);
    const fire = await superadmin().post('/kernel/upgrade/told-fire/emergency-apply', { reason: 'it burns' });
    const { ratifyBy } = fire.json.upgrade as { ratifyBy: string };
    const [proposal] = await everything.until(told('told-late', 'expiring'));
    const [ratification] = await everything.until(told('told-fire', 'expiring'));
    expect(proposal).toMatchObject({
      authentic: true,
      body: { data: { status: 'proposed', position: null, quorum: { action: 'approve', missing: 3 } } },
    });
    expect(ratification).toMatchObject({
      authentic: true,
      body: { data: { status: 'emergency_applied', ratifyBy, quorum: { action: 'ratify', missing: 3 } } },
    });
    // While there is still time.
    expect(Date.parse(String(proposal?.body.timestamp))).toBeLessThan(
      Date.parse(String(proposal?.body.data['expiresAt'])),
    );
    expect(Date.parse(String(ratification?.body.timestamp))).toBeLessThan(Date.parse(ratifyBy));
    const [unratified] = await everything.until(told('told-fire', 'unratified'));
    await everything.until(told('told-late', 'expired'));
    // It is code: only people can roll it back.
    expect(unratified).toMatchObject({
      authentic: true,
      body: { data: { status: 'rollback_required', position: expect.stringMatching(/^\d+:\d+$/) } },
    });
    const [alarm] = await alarms.until(told('told-fire', 'unratified'));
    expect(alarm).toMatchObject({ id: unratified?.id, authentic: true });
    expect(about('told-late', alarms)).toEqual([]);
    expect(everything.received.filter(told('told-late', 'expiring'))).toHaveLength(1);
    expect(everything.received.filter(told('told-fire', 'expiring'))).toHaveLength(1);
  }, 60_000);

  it('are not lost when the process that delivers them is killed', async () => {
    const leading = async () => {
      for (const n of [0, 1]) {
        const { text } = await stack().management('/metrics', n);
        if (/^kernel_notifications_leading 1$/m.test(text)) return n;
      }
      throw new Error('nobody leads');
    };
    everything.mood = 'hang';
    const client = new ContractClient(stack().client('OPERATOR', { kernel: 1 }));
    await propose('told-3');
    // It has been sent, and not answered.
    await everything.until(told('told-3', 'proposed'));
    const leader = await leading();
    const other = 1 - leader;
    const survivor = new ContractClient(stack().client('OPERATOR', { kernel: other }));
    await stack().kernels[leader]?.process.kill();
    everything.mood = { status: 204 };
    const again = await survivor.post('/kernel/upgrade/told-3/withdraw', { reason: 'a new one follows' });
    expect(again.status).toBe(200);
    await everything.until(told('told-3', 'proposed'), 2);
    await everything.until(told('told-3', 'withdrawn'));
    // The same notification id, by which the receiver recognizes the repetition.
    expect(new Set(everything.received.filter(told('told-3', 'proposed')).map(({ id }) => id)).size).toBe(1);
    await stack().kernels[leader]?.process.start();
    await stack().whenReady();
    expect((await client.get('/kernel/upgrade/told-3')).status).toBe(200);
  }, 60_000);

  it('that cannot be delivered are listed, and delivered when a SuperAdmin says so', async () => {
    await everything.stop();
    await propose('told-4');
    const dead = async () =>
      (await superadmin().get('/kernel/admin/notifications?state=dead')).json.deliveries as {
        id: string;
        subject: string;
      }[];
    let letter: { id: string; subject: string } | undefined;
    for (const end = Date.now() + 30_000; letter === undefined && Date.now() < end;) {
      letter = (await dead()).find(({ subject }) => subject === 'told-4');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(letter).toMatchObject({
      endpoint: 'everything',
      type: 'upgrade.proposed',
      attempts: 4,
      lastStatus: null,
      lastError: expect.stringContaining('ECONNREFUSED'),
    });
    await everything.listen();
    const path = `/kernel/admin/notifications/${letter?.id}/redeliver`;
    const sent = await superadmin().post(path, {}, { idempotencyKey: 'again' });
    expect([sent.status, sent.json.endpoints]).toEqual([202, ['everything']]);
    const [got] = await everything.until(told('told-4', 'proposed'));
    expect(got).toMatchObject({ id: letter?.id, authentic: true });
    for (const end = Date.now() + 10_000; (await dead()).some(({ id }) => id === letter?.id);) {
      expect(Date.now()).toBeLessThan(end);
    }
    expect((await superadmin().post(path, {})).status).toBe(404);
    const shards = await Promise.all(
      [0, 1, 2].map(async (shard) => (await superadmin().get(`/kernel/audit/export?shard=${shard}`)).text),
    );
    expect(shards.join('')).toContain('notification.redelivery_requested');
  }, 60_000);
});
