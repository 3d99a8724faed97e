import { readFileSync } from 'node:fs';
import { Webhook } from 'standardwebhooks';
import { WebhookReceiver, withStack } from '#dev/testing';
import { cli, connectionTo } from '../governance/cli';
import { ContractClient } from '../contract/contract.client';

interface Made {
  id: string;
  signingSecret: string;
  url: string;
}

describe('webhooks, with two kernels', () => {
  const stack = withStack({
    kernels: 2,
    shards: 2,
    workers: ['outbox-relay', 'indexer'],
    kernelVariables: {
      KERNEL_WEBHOOK_TIMEOUT_MS: '30000',
      KERNEL_WEBHOOK_RETRY_MS: '50',
      KERNEL_WEBHOOK_ATTEMPTS: '3',
    },
  });
  const receivers: WebhookReceiver[] = [];
  const superadmin = (kernel = 0) => new ContractClient(stack().client('SUPERADMIN', { kernel }));
  const operator = (kernel = 0) => new ContractClient(stack().client('OPERATOR', { kernel }));
  afterAll(() => Promise.all(receivers.map((one) => one.stop())));

  async function receiver(): Promise<WebhookReceiver> {
    const { cert, key } = stack().identities.kernelServer;
    const one = await WebhookReceiver.start({
      cert: readFileSync(cert, 'utf8'),
      key: readFileSync(key, 'utf8'),
    });
    receivers.push(one);
    return one;
  }
  async function subscribe(to: WebhookReceiver, subject: string): Promise<Made> {
    const answer = await superadmin().post('/kernel/webhooks', { url: to.url, filter: { subject } });
    expect(answer.status).toBe(201);
    return answer.json;
  }
  async function happen(type: string, stream: string, kernel = 0): Promise<string> {
    const answer = await operator(kernel).post('/kernel/audit', { type, stream, payload: { stream } });
    expect(answer.status).toBe(201);
    return (answer.json.events as { id: string }[])[0]!.id;
  }
  async function leading(): Promise<number> {
    for (const end = Date.now() + 20_000; Date.now() < end;) {
      for (const n of [0, 1]) {
        const { text } = await stack().management('/metrics', n);
        if (/^kernel_webhooks_leading 1$/m.test(text)) return n;
      }
    }
    throw new Error('nobody leads');
  }

  it('are called with what they subscribed to, whichever kernel took it', async () => {
    const to = await receiver();
    const { signingSecret } = await subscribe(to, 'parcel/');
    const events = [await happen('parcel.sent', 'parcel/1', 0), await happen('parcel.lost', 'parcel/1', 1)];
    await happen('letter.sent', 'letter/1');
    await to.until(() => true, 2);
    expect(to.received.map(({ id }) => id).sort()).toEqual(events.sort());
    for (const { raw } of to.received) {
      const body = new Webhook(signingSecret).verify(raw.text, raw.headers) as { source: string };
      expect(body).toMatchObject({ specversion: '1.0', source: stack().origin, subject: 'parcel/1' });
    }
  });

  it('are called again by another kernel when the one that called dies', async () => {
    const to = await receiver();
    await subscribe(to, 'crash/');
    to.mood = 'hang';
    const leader = await leading();
    const event = await happen('crash.seen', 'crash/1', 1 - leader);
    await to.until(() => true, 1);
    await stack().kernels[leader]?.process.kill();
    to.mood = { status: 204 };
    const later = await happen('crash.seen', 'crash/2', 1 - leader);
    await to.until(({ id }) => id === event, 2, 40_000);
    await to.until(({ id }) => id === later, 1, 40_000);
    await stack().kernels[leader]?.process.start();
    await stack().whenReady();
  }, 90_000);

  it('are a SuperAdmin’s alone to change, and nobody sees their secrets', async () => {
    const to = await receiver();
    const { id, signingSecret } = await subscribe(to, 'role/');
    expect((await operator().post('/kernel/webhooks', { url: to.url })).status).toBe(403);
    expect((await operator().post(`/kernel/webhooks/${id}/rotate-secret`, {})).status).toBe(403);
    expect((await operator().get(`/kernel/webhooks/${id}`)).status).toBe(200);
    const lead = new ContractClient(stack().client('DIVISION_LEAD'));
    expect((await lead.get('/kernel/webhooks')).status).toBe(403);
    const shown = await Promise.all([
      superadmin().get('/kernel/webhooks'),
      superadmin().get(`/kernel/webhooks/${id}`),
      superadmin().get('/kernel/audit/export?shard=0'),
      superadmin().get('/kernel/audit/export?shard=1'),
    ]);
    for (const { text } of shown) expect(text).not.toContain(signingSecret.slice(6));
    const forged = await operator().post('/kernel/audit', { type: 'webhook.subscribed', payload: { id } });
    expect([forged.status, forged.json.error]).toEqual([400, 'reserved_name']);
  });

  it.each([
    'http://hooks.example.com/',
    'https://10.0.0.1/',
    'https://169.254.169.254/latest/meta-data',
    'https://[fe80::1]/',
    'https://[::ffff:10.0.0.1]/',
    'https://user:secret@hooks.example.com/',
    'https://nothing.invalid/',
  ])('do not lead to %s', async (url) => {
    const answer = await superadmin().post('/kernel/webhooks', { url });
    expect([answer.status, answer.json.pointer]).toEqual([400, '/url']);
  });

  it('are managed from the command line', async () => {
    const to = await receiver();
    const run = (...args: string[]) =>
      cli([...args, ...connectionTo(stack(), stack().identities.callers.SUPERADMIN)]);
    const added = JSON.parse(
      await run('webhook', 'add', to.url, '--type', 'line.drawn', '--description', 'lines', '--json'),
    ) as Made;
    expect(await run('webhook', 'list')).toContain(added.id);
    await to.stop();
    const event = await happen('line.drawn', 'line/1');
    for (
      const end = Date.now() + 30_000;
      !(await run('webhook', 'deliveries', added.id, '--only', 'dead')).includes(event);
    ) {
      expect(Date.now()).toBeLessThan(end);
    }
    expect(await run('webhook', 'deliveries', added.id)).toContain('ECONNREFUSED');
    await to.listen();
    expect(await run('webhook', 'redeliver', added.id)).toContain('on its way');
    await to.until(({ id }) => id === event);
    expect(await run('webhook', 'pause', added.id)).toContain('is paused');
    expect(await run('webhook', 'update', added.id, '--subject', 'line/')).toContain('of line/*');
    expect(await run('webhook', 'resume', added.id)).toContain('is active');
    expect(await run('webhook', 'rotate-secret', added.id, '--dry-run')).toContain('Nothing was done');
    const rotated = await run('webhook', 'rotate-secret', added.id, '--yes', '--overlap', '60');
    const next = /^whsec_\S+$/m.exec(rotated)?.[0] ?? '';
    const both = await happen('line.drawn', 'line/2');
    const [got] = await to.until(({ id, signatures }) => id === both && signatures.length === 2);
    for (const secret of [added.signingSecret, next]) {
      expect(new Webhook(secret).verify(got!.raw.text, got!.raw.headers)).toMatchObject({ id: both });
    }
    expect(await run('webhook', 'show', added.id)).toContain('the one before signs until');
    expect(await run('webhook', 'remove', added.id, '--yes')).toContain('is removed');
    expect((await superadmin().get(`/kernel/webhooks/${added.id}`)).status).toBe(404);
  }, 60_000);
});
