import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256Hex } from '#evidence';
import {
  describeWithChromium,
  type OpenPage,
  PeopleAtBrowsers,
  WebhookReceiver,
  withStack,
} from '#dev/testing';
import { runAudit } from '../pipeline/run-audit';
import { recordAudits, reportWith } from './recorded-audits';
import {
  expectSound,
  faultsOf,
  heading,
  pictureOf,
  type Role,
  RolePages,
  ROLES,
  type Screen,
  text,
  VIEWS,
} from './screens';

const folder = mkdtempSync(join(tmpdir(), 'kernel-ui-'));
let notified: WebhookReceiver;

describeWithChromium('the screens of keys, divisions, deliveries, sessions and the system', () => {
  beforeAll(async () => {
    notified = await WebhookReceiver.start();
    notified.mood = { status: 500 };
  });
  const stack = withStack({
    workers: ['outbox-relay', 'indexer', 'log-publisher', 'archiver', 'auditor'],
    people: true,
    restart: false,
    kernelVariables: () => {
      const secretFile = join(folder, 'on-call');
      writeFileSync(secretFile, `${notified.secret}\n`, { mode: 0o600 });
      return {
        KERNEL_DIRECT_KEY_ROTATION: '["manifest"]',
        KERNEL_WEBHOOKS: JSON.stringify([{ name: 'on-call', url: notified.url, secretFile }]),
        KERNEL_WEBHOOK_RETRY_MS: '50',
        KERNEL_WEBHOOK_ATTEMPTS: '2',
        // The receivers run in the process of the test, which is sometimes busy with other things.
        KERNEL_WEBHOOK_TIMEOUT_MS: '30000',
      };
    },
  });
  const receivers: WebhookReceiver[] = [];
  const contexts: OpenPage[] = [];
  let people: PeopleAtBrowsers;
  let auditKid: string;
  let manifestKid: string;
  let webhookId: string;
  let templateId: string;
  let auditId: string;
  const UNSEALED = randomUUID();
  const FORGED = randomUUID();

  const operator = () => stack().client('OPERATOR');
  const admin = () => stack().client('SUPERADMIN');

  async function receiver(): Promise<WebhookReceiver> {
    const { cert, key } = stack().identities.kernelServer;
    const one = await WebhookReceiver.start({
      cert: readFileSync(cert, 'utf8'),
      key: readFileSync(key, 'utf8'),
    });
    receivers.push(one);
    return one;
  }

  async function written(path: string, body: object): Promise<Record<string, unknown>> {
    const answer = await operator().post(path, body);
    expect(answer.status).toBeLessThan(300);
    return answer.json as Record<string, unknown>;
  }

  beforeAll(async () => {
    await written('/kernel/division', {
      id: 'product',
      name: 'Product',
      budget: { eur: 100_000, 'gpu-hours': 250.5 },
    });
    await written('/kernel/division', { id: 'research', name: 'Res\u202Eearch', budget: 10 });
    const manifest = { id: 'ranker', version: '1.0.0', kind: 'agent-template', division: 'product' };
    const signed = await written('/kernel/sign', { manifest });
    templateId = String(signed['audit_id']);
    const { envelope } = signed['signature_record'] as { envelope: object };
    for (const id of ['ranker-1', 'ranker-2']) {
      await written('/kernel/agent', {
        id,
        divisionId: 'product',
        role: 'ranker',
        template: { manifest, envelope },
      });
    }
    await written('/kernel/agent/ranker-1/state', { state: 'running', reason: 'ready' });
    const evaluated = await written('/kernel/eval', {
      agentId: 'ranker-1',
      metricSet: { success: 0.9 },
      score: 0.9,
      source: 'nightly',
    });
    await written('/kernel/allocate', {
      agentId: 'ranker-1',
      divisionId: 'product',
      pool: 'gpu-hours',
      delta: 100.25,
      reason: 'it does well',
      evalId: evaluated['eval_id'],
    });
    await written('/kernel/allocate', {
      divisionId: 'product',
      pool: 'eur',
      delta: 60_000,
      reason: 'licences',
    });
    await written('/kernel/upgrade', {
      manifest: { upgradeId: 'billing-1.4.0', type: 'code', target: 'kernel-api', rationale: 'a fix' },
    });
    const keys = (await admin().get('/kernel/keys')).json as {
      signers: { signer_kid: string; purposes: string[] }[];
    };
    const kidOf = (purpose: string) =>
      keys.signers.find(({ purposes }) => purposes.includes(purpose))?.signer_kid ?? '';
    auditKid = kidOf('audit');
    manifestKid = kidOf('manifest');
    const failing = await receiver();
    failing.mood = { status: 500 };
    const subscribed = await admin().post('/kernel/webhooks', {
      url: failing.url,
      description: 'Books what was paid',
      filter: { types: ['invoice.paid'] },
    });
    webhookId = String((subscribed.json as { id: string }).id);
    await written('/kernel/audit', { type: 'invoice.paid', stream: 'invoice/1', payload: {} });
    const held = await admin().post('/kernel/audit/legal-hold', {
      shard: 0,
      fromSeq: 2,
      toSeq: 3,
      hold: true,
      reason: 'case 17',
    });
    expect(held.status).toBe(201);
    await recordAudits(stack(), [
      { id: randomUUID(), outcome: 'failed', message: 'The archive does not answer.' },
      {
        id: UNSEALED,
        outcome: 'findings',
        findings: 120,
        message: 'Not sealed: the signing proxy does not answer',
        report: reportWith(120, { id: templateId, seq: 4 }),
      },
      {
        id: FORGED,
        outcome: 'clean',
        findings: 0,
        report: reportWith(0, { id: templateId, seq: 4 }),
        seal: '{}',
      },
    ]);
    const { code, stdout } = await runAudit(stack());
    expect(code).toBe(0);
    auditId = /^Audit (\S+): clean/m.exec(stdout)?.[1] ?? '';
    people = await PeopleAtBrowsers.start(stack().web?.origin ?? '');
  }, 180_000);
  afterEach(async () => {
    for (const { context } of contexts.splice(0)) await context.close();
  });
  afterAll(async () => {
    await people.close();
    for (const one of [notified, ...receivers]) await one.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const pages = new RolePages(() => people);
  /** A sign-in of its own, seconds old; closed with the test. */
  const signIn: PeopleAtBrowsers['signIn'] = async (...given) => {
    const open = await people.signIn(...given);
    contexts.push(open);
    return open;
  };
  const confirm = async ({ page }: OpenPage, words: string, button: string) => {
    await page.getByLabel(`To confirm, type ${words}`).fill(words);
    await page.getByRole('button', { name: button, exact: true }).click();
  };
  const reserve = ({ page }: OpenPage) => page.getByRole('group', { name: /^Held by the signing backend/ });
  /** Chooses the first key in reserve. @returns its name */
  const chooseFirst = async (open: OpenPage): Promise<string> => {
    const label = reserve(open).locator('label').first();
    await label.getByRole('radio').click();
    const [kid = ''] = (await label.innerText()).trim().split('\n');
    return kid.trim();
  };
  const eventsOf = async (type: string): Promise<{ payload: Record<string, unknown> }[]> => {
    const answer = await admin().get(`/kernel/audit/export?shard=0`);
    return answer.text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { type: string; payload: Record<string, unknown> })
      .filter((event) => event.type === type);
  };

  const SCREEN_LIST: readonly Screen[] = [
    {
      name: 'keys',
      path: () => '/keys',
      role: 'superadmin',
      shown: async (open) => {
        await heading(open, 'Signs now');
        await text(open, 'SHA-256 of the file as it is now');
        await text(open, /^kernel\.test\/stack\/log\/0\+[0-9a-f]{8}\+/);
        await open.page.getByRole('region', { name: 'Keys in reserve' }).waitFor();
      },
    },
    {
      name: 'key',
      path: () => `/keys/${auditKid}`,
      role: 'auditor',
      shown: async (open) => {
        await text(open, 'from 1 on');
        await text(open, /does not include the right keys.manage/);
      },
    },
    {
      name: 'key-rotate',
      path: () => `/keys/${auditKid}/rotate`,
      role: 'superadmin',
      shown: async (open) => {
        await reserve(open).getByRole('radio').first().click();
        await text(open, /An upgrade is proposed/);
      },
    },
    {
      name: 'key-retire',
      path: () => `/keys/${auditKid}/retire`,
      role: 'superadmin',
      shown: (open) => text(open, /replace it first/),
    },
    {
      name: 'key-compromise',
      path: () => `/keys/${auditKid}/compromise`,
      role: 'superadmin',
      shown: async (open) => {
        await open.page.getByLabel(/The earliest moment/).fill('0:2');
        await text(open, /would be in doubt/);
        await reserve(open).getByRole('radio').first().waitFor();
      },
    },
    {
      name: 'key-not-there',
      path: () => '/keys/no-such-key',
      role: 'auditor',
      shown: (open) => text(open, 'There is no key of this name'),
    },
    {
      name: 'divisions',
      path: () => '/divisions',
      role: 'auditor',
      shown: (open) => open.page.getByRole('meter').first().waitFor(),
    },
    {
      name: 'division',
      path: () => '/divisions/product',
      role: 'operator',
      shown: async (open) => {
        await open.page.getByRole('link', { name: 'ranker-1' }).first().waitFor();
        await text(open, 'it does well');
      },
    },
    {
      name: 'division-not-there',
      path: () => '/divisions/no-such',
      role: 'operator',
      shown: (open) => text(open, 'There is no such division'),
    },
    {
      name: 'allocations',
      path: () => '/divisions/product/allocations',
      role: 'operator',
      shown: (open) => text(open, 'licences'),
    },
    {
      name: 'allocations-none',
      path: () => '/divisions/research/allocations',
      role: 'operator',
      shown: (open) => text(open, 'Nothing was allocated yet'),
    },
    {
      name: 'agents',
      path: () => '/agents',
      role: 'lead',
      shown: (open) => open.page.getByRole('link', { name: 'ranker-2' }).waitFor(),
    },
    {
      name: 'agent',
      path: () => '/agents/ranker-1',
      role: 'operator',
      shown: (open) => text(open, 'success 0.9'),
    },
    {
      name: 'why',
      path: () => '/why?node=agent%2Franker-1',
      role: 'auditor',
      shown: (open) => open.page.getByRole('group', { name: /^Graph of/ }).waitFor(),
    },
    {
      name: 'why-nothing',
      path: () => '/why',
      role: 'auditor',
      shown: (open) => text(open, 'About what?'),
    },
    {
      name: 'notifications',
      path: () => '/notifications?state=dead',
      role: 'superadmin',
      shown: (open) => text(open, 'HTTP 500'),
    },
    {
      name: 'webhooks',
      path: () => '/webhooks',
      role: 'superadmin',
      shown: (open) => text(open, 'Books what was paid'),
    },
    {
      name: 'webhook',
      path: () => `/webhooks/${webhookId}`,
      role: 'superadmin',
      shown: (open) => text(open, 'HTTP 500'),
    },
    {
      name: 'webhook-new',
      path: () => '/webhooks/new',
      role: 'superadmin',
      shown: async (open) => {
        await open.page.getByLabel('Address').fill('https://hooks.example.com/kernel');
        await text(open, 'To confirm, type');
      },
    },
    {
      name: 'sessions',
      path: () => '/sessions',
      role: 'superadmin',
      shown: async (open) => {
        await text(open, '(this one)');
        await heading(open, "Everybody's");
      },
    },
    {
      name: 'overview-last-audit',
      path: () => '/',
      role: 'auditor',
      shown: async (open) => {
        await heading(open, 'Last audit');
        await text(open, /A row among the newest 4 was not written by the auditor/);
        await text(open, /The index has every event/);
      },
    },
    {
      name: 'audit-runs',
      path: () => '/audit/runs',
      role: 'auditor',
      shown: async (open) => {
        await text(open, '4 audit runs on this page');
        for (const word of ['clean', 'not genuine', 'unsealed findings', 'failed'])
          await open.page.getByText(word, { exact: true }).waitFor();
      },
    },
    {
      name: 'audit-run',
      path: () => `/audit/runs/${auditId}`,
      role: 'auditor',
      shown: async (open) => {
        await heading(open, 'What was verified');
        await text(open, 'Chain, index, archive and the manifests of days agree.');
        await open.page.getByRole('button', { name: 'Download the seal' }).waitFor();
      },
    },
    {
      name: 'audit-run-findings',
      path: () => `/audit/runs/${UNSEALED}`,
      role: 'auditor',
      shown: async (open) => {
        await text(open, 'It has no seal');
        await heading(open, 'Findings by kind');
        await text(open, '100 of 120 listed');
      },
    },
    {
      name: 'audit-run-forged',
      path: () => `/audit/runs/${FORGED}`,
      role: 'auditor',
      shown: async (open) => {
        await text(open, 'The auditor did not write this');
        await text(open, 'Nothing proves that there are none.');
        for (const word of [/^clean$/, /agree\./]) expect(await open.page.getByText(word).count()).toBe(0);
      },
    },
    {
      name: 'audit-run-missing',
      path: () => `/audit/runs/${templateId}`,
      role: 'auditor',
      shown: (open) => text(open, 'No audit with this id is recorded here'),
    },
    {
      name: 'audit-runs-forbidden',
      path: () => '/audit/runs',
      role: 'lead',
      shown: (open) => text(open, 'You may not see this'),
    },
    {
      name: 'system',
      path: () => '/system',
      role: 'superadmin',
      shown: async (open) => {
        await text(open, 'Readiness');
        await text(open, /The index has every event/);
        await open.page.getByText('Why', { exact: true }).last().waitFor();
      },
    },
    {
      name: 'system-mode',
      path: () => '/system/mode',
      role: 'superadmin',
      shown: async (open) => {
        await open.page.getByRole('radio', { name: /read-only/ }).click();
        await text(open, /reads go on/);
      },
    },
    {
      name: 'legal-holds',
      path: () => '/system/legal-holds',
      role: 'superadmin',
      shown: (open) => text(open, '0:2 to 0:3'),
    },
    {
      name: 'keys-forbidden',
      path: () => '/keys',
      role: 'norole',
      shown: (open) => text(open, 'You may not see this'),
    },
  ];

  describe.each(VIEWS)('$name', (view) => {
    it.each(SCREEN_LIST)('$name', async (screen) => {
      await expectSound(await pages.of(screen.role, view), screen, view);
    });
  });

  const CLOSED: Readonly<Record<Role, readonly string[]>> = {
    superadmin: [],
    operator: ['/system/mode', '/webhooks/new'],
    auditor: ['/system/mode', '/webhooks/new'],
    lead: ['/audit/runs', '/notifications', '/webhooks', '/system/mode', '/system/legal-holds'],
    norole: ['/keys', '/divisions', '/agents', '/why', '/notifications', '/webhooks', '/sessions'],
    'approver-1': ['/keys', '/divisions', '/agents', '/why', '/notifications', '/webhooks', '/system/mode'],
  };

  it.each(ROLES)('are open to %s as far as they may see', async (role) => {
    const open = await pages.of(role);
    for (const path of CLOSED[role]) {
      await open.page.goto(path);
      await text(open, 'You may not see this');
    }
    expect(await open.problems()).toEqual([]);
  });

  it('lead from a finding to its event, and save a report byte for byte', async () => {
    const open = await pages.of('auditor');
    const { page } = open;
    await page.goto('/');
    await page.getByRole('link', { name: 'All audit runs' }).click();
    await heading(open, 'Audit runs');
    const current = page.getByRole('navigation', { name: 'Screens' }).locator('[aria-current=page]');
    expect(await current.allTextContents()).toEqual(['Audit runs']);
    await page.goto(`/audit/runs/${auditId}`);
    const saved = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download the report' }).click();
    const file = await saved;
    expect(file.suggestedFilename()).toBe(`${auditId}.json`);
    const bytes = readFileSync(await file.path());
    await page.getByText(sha256Hex(bytes), { exact: true }).waitFor();

    await page.goto(`/audit/runs/${UNSEALED}`);
    await page.getByRole('button', { name: 'Show 20 more' }).click();
    await text(open, '120 of 120 listed');
    await page.getByRole('link', { name: 'hash', exact: true }).click();
    await text(open, '80 of 80 listed');
    await page.getByText('the hash is \\u202eanother').waitFor();
    expect(new URL(page.url()).searchParams.get('kind')).toBe('hash');
    await page.getByRole('link', { name: '0:4', exact: true }).first().click();
    await page.getByText(templateId, { exact: true }).first().waitFor();
    expect(await open.problems()).toEqual([]);
  });

  it('print a report without what surrounds it', async () => {
    const open = await pages.of('auditor');
    await open.page.goto(`/audit/runs/${auditId}`);
    await heading(open, 'What was verified');
    await open.page.emulateMedia({ media: 'print' });
    await open.page.screenshot({ path: pictureOf('audit-run-print'), fullPage: true });
    const seen = {
      navigation: await open.page.getByRole('navigation', { name: 'Screens' }).isVisible(),
      banner: await open.page.getByRole('banner').isVisible(),
      buttons: await open.page.getByRole('button').filter({ visible: true }).count(),
      shards: await open.page.getByRole('heading', { name: 'What was verified' }).isVisible(),
    };
    await open.page.emulateMedia({ media: 'screen' });
    expect(seen).toEqual({ navigation: false, banner: false, buttons: 0, shards: true });
  });

  it('shows a lead the division that is theirs alone', async () => {
    const open = await pages.of('lead');
    await open.page.goto('/divisions');
    await open.page.getByRole('link', { name: 'Product' }).waitFor();
    expect(await open.page.getByRole('link', { name: 'research' }).count()).toBe(0);
    await open.page.goto('/divisions/research');
    await text(open, /You may not see this|There is no such division/);
  });

  it('say that the kernel is away, whichever screen is open', async () => {
    const open = await signIn('superadmin', '/sessions');
    await open.page.route('**/kernel/**', (route) => route.abort());
    for (const path of [
      '/keys',
      '/divisions',
      '/agents',
      '/notifications',
      '/webhooks',
      '/sessions',
      '/system',
    ]) {
      await open.page.goto(path);
      await text(open, 'The kernel does not answer');
      await open.page.getByRole('button', { name: 'Try again' }).first().waitFor();
    }
    await open.page.unroute('**/kernel/**');
    await open.page.getByRole('button', { name: 'Try again' }).first().click();
    await heading(open, 'Readiness');
  });

  it('put a mode into force, with a reason and in words', async () => {
    const open = await signIn('superadmin', '/system/mode');
    await open.page.getByRole('radio', { name: /read-only/ }).click();
    await text(open, 'Say why; it is recorded.');
    await open.page.getByLabel('Goes into the chain with the change').fill('we move the database');
    await open.page.getByRole('button', { name: 'Put read-only into force' }).focus();
    await open.page.keyboard.press('Enter');
    // Not before the words are there.
    expect(await eventsOf('mode.changed')).toEqual([]);
    await confirm(open, 'refuse all writes', 'Put read-only into force');
    await heading(open, 'Change the mode');
    await text(open, 'The kernel is read-only');
    const [changed] = await eventsOf('mode.changed');
    expect(changed?.payload).toMatchObject({ to: 'read-only', reason: 'we move the database' });
    await open.page.goto('/system');
    await text(open, 'we move the database');
    await open.page.screenshot({ path: pictureOf('system-read-only-wide-light'), fullPage: true });
    await open.page.goto('/system/mode');
    await open.page.getByRole('radio', { name: /normal/ }).click();
    await open.page.getByLabel('Goes into the chain with the change').fill('done');
    await confirm(open, 'answer writes again', 'Put normal into force');
    await text(open, 'The kernel is normal');
    expect(await faultsOf(open)).toEqual([]);
    expect(await eventsOf('mode.changed')).toHaveLength(2);
  });

  it('subscribe a webhook, show its secret once, send dead letters again, pause and remove it', async () => {
    const to = await receiver();
    to.mood = { status: 500 };
    const open = await signIn('superadmin', '/webhooks/new');
    const { page } = open;
    await page.getByLabel('Address').fill(to.url);
    await page.getByLabel(/^Types of events/).fill('parcel.sent');
    await confirm(open, `send to ${new URL(to.url).host}`, 'Add the webhook');
    await text(open, 'The secret: shown once, now');
    const secret = await page.getByText(/^whsec_/).innerText();
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    await page.screenshot({ path: pictureOf('webhook-secret-wide-light'), fullPage: true });
    expect(await faultsOf(open)).toEqual([]);
    await page.getByRole('link', { name: 'The webhook', exact: true }).click();
    await heading(open, 'What it has not taken');
    await page.goBack();
    await page.getByLabel('Address').waitFor();
    expect(await page.getByText(secret).count()).toBe(0);
    await page.goForward();
    await written('/kernel/audit', { type: 'parcel.sent', stream: 'parcel/1', payload: {} });
    await page.getByRole('table').getByText('given up').waitFor();
    to.mood = { status: 204 };
    const tried = to.received.length;
    await page.getByRole('button', { name: 'Send all dead letters again' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Send all dead letters again' }).click();
    await text(open, 'All dead letters are on their way');
    await to.until(() => true, tried + 1);
    await page.getByRole('button', { name: 'Pause it' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Pause it' }).click();
    await text(open, 'It is paused');
    await confirm(open, 'give it another secret', 'Rotate the secret');
    await text(open, 'It has another secret');
    expect(await page.getByText(/^whsec_/).innerText()).not.toBe(secret);
    await confirm(open, `remove ${new URL(to.url).host}`, 'Remove the webhook');
    await heading(open, 'Webhooks');
    await page.getByRole('link', { name: to.url }).waitFor({ state: 'detached' });
    expect(await open.problems()).toEqual([]);
  }, 90_000);

  it('send a notification again', async () => {
    const open = await signIn('superadmin', '/notifications?state=dead');
    await text(open, 'HTTP 500');
    notified.mood = { status: 204 };
    const before = notified.received.length;
    await open.page.getByRole('button', { name: 'Send again' }).first().click();
    await open.page.getByRole('dialog').getByRole('button', { name: 'Send again' }).click();
    await text(open, 'On its way again to on-call');
    await notified.until(() => true, before + 1);
    expect(await open.problems()).toEqual([]);
  });

  it('end sessions: one, and all others', async () => {
    const mine = await signIn('operator', '/sessions');
    const second = await signIn('operator');
    const third = await signIn('operator');
    await mine.page.reload();
    await mine.page.getByRole('button', { name: 'End', exact: true }).first().waitFor();
    await mine.page.getByRole('button', { name: 'End all others' }).click();
    await mine.page.getByRole('dialog').getByRole('button', { name: 'End all others' }).click();
    await text(mine, /sessions are ended/);
    await text(mine, 'This is your only session.');
    for (const { page } of [second, third]) {
      await page.getByRole('dialog', { name: 'Your session has ended' }).waitFor();
    }
    expect((await eventsOf('session.closed')).length).toBeGreaterThan(1);
    expect(await mine.problems()).toEqual([]);
    // The other pages of the operator ended with them.
    pages.forget('operator');
  });

  it('allocate within the budget, and say what is left where it is too much', async () => {
    const open = await signIn('operator', '/divisions/research');
    const { page } = open;
    await page.getByLabel('Amount').fill('4.5');
    await page.getByLabel(/^Why; goes into/).fill('a first share');
    await page.getByRole('button', { name: 'Grant', exact: true }).click();
    await text(open, '4.5 granted');
    await text(open, '4.5 of 10 allocated, 5.5 left');
    await text(open, 'a first share');
    await page.getByLabel('Amount').fill('6');
    await page.getByLabel(/^Why; goes into/).fill('too much');
    await page.getByRole('button', { name: 'Grant', exact: true }).click();
    await page.getByRole('alert').filter({ hasText: '5.5' }).waitFor();
    await page.screenshot({ path: pictureOf('division-over-budget-wide-light'), fullPage: true });
    expect(await faultsOf(open)).toEqual([]);
  });

  it('lead an agent from state to state', async () => {
    const open = await signIn('lead', '/agents/ranker-2');
    await open.page.getByRole('button', { name: 'It is running' }).click();
    await open.page.getByRole('dialog').getByRole('button', { name: 'It is running' }).click();
    await text(open, 'The chain says that it is running');
    expect(await open.problems()).toEqual([]);
  });

  it('trace by keyboard, and have the same as a table', async () => {
    const open = await signIn('auditor', `/why?node=${templateId}&direction=effects`);
    const { page } = open;
    const graph = page.getByRole('group', { name: /^Graph of/ });
    await graph.waitFor();
    const links = await graph.getByRole('link').count();
    const rows = await page
      .getByRole('region', { name: 'The events of the trace, oldest first' })
      .getByRole('row')
      .count();
    expect(rows - 1).toBe(links);
    expect(links).toBeGreaterThan(2);
    // One of them is in the order of Tab.
    expect(await graph.locator('[tabindex="0"]').count()).toBe(1);
    await graph.locator('[tabindex="0"]').focus();
    await page.keyboard.press('End');
    const focused = () => page.evaluate<string>('document.activeElement.textContent');
    const last = await focused();
    await page.keyboard.press('Home');
    expect(await focused()).not.toBe(last);
    await page.keyboard.press('ArrowDown');
    await page.screenshot({ path: pictureOf('why-focus-wide-light'), fullPage: true });
    const type = await page.evaluate<string>('document.activeElement.querySelector("text").textContent');
    await page.keyboard.press('Enter');
    await heading(open, type);
    expect(await open.problems()).toEqual([]);
  });

  it('hold events in the archive', async () => {
    const open = await signIn('superadmin', '/system/legal-holds');
    const { page } = open;
    await page.getByLabel('Which events').fill('0:4');
    await page.getByLabel('Why; goes into the chain').fill('case 18');
    await confirm(open, 'hold 0:4', 'Place the hold');
    await text(open, 'The hold on 0:4 is placed');
    await page.getByRole('button', { name: 'Lift the hold on 0:4' }).click();
    await page.getByLabel('Why; goes into the chain').fill('case 18 is closed');
    await confirm(open, 'lift the hold on 0:4', 'Lift the hold');
    await text(open, 'The hold on 0:4 is lifted');
    const held = [...(await eventsOf('legal_hold.placed')), ...(await eventsOf('legal_hold.lifted'))];
    expect(held.map(({ payload }) => payload['reason'])).toEqual(['case 17', 'case 18', 'case 18 is closed']);
    expect(await open.problems()).toEqual([]);
  }, 60_000);

  it('rotate a key, by an upgrade and at once, and refuse to retire the old one too soon', async () => {
    const open = await signIn('superadmin', `/keys/${auditKid}/rotate`);
    const { page } = open;
    const kid = await chooseFirst(open);
    await confirm(open, `propose rotate-${kid}`, 'Propose the rotation');
    await text(open, /It waits for \d+ more of its approvers/);
    await page.screenshot({ path: pictureOf('key-rotate-proposed-wide-light'), fullPage: true });
    expect(await faultsOf(open)).toEqual([]);

    await page.goto(`/keys/${manifestKid}/rotate`);
    const next = await chooseFirst(open);
    await confirm(open, `replace ${manifestKid} by ${next}`, 'Replace the key');
    await text(open, `${next} signs in the place of ${manifestKid}`);
    expect(await eventsOf('signer.rotated')).toHaveLength(1);
    await page.goto(`/keys/${manifestKid}/retire`);
    await confirm(open, `retire ${manifestKid}`, 'Retire the key');
    await page.getByRole('form', { name: 'Retire the key' }).getByRole('alert').waitFor();
    expect(await eventsOf('signer.retired')).toEqual([]);
    await page.screenshot({ path: pictureOf('key-retire-refused-wide-light'), fullPage: true });
    expect(await faultsOf(open)).toEqual([]);
  }, 90_000);

  it('cut off a key that others may have', async () => {
    const open = await signIn('superadmin', `/keys/${manifestKid}/compromise`);
    const { page } = open;
    await page.getByLabel(/The earliest moment/).fill('0:2');
    await page.getByLabel('Goes into the chain').fill('a backup was lost');
    // The one in reserve was used by the rotation.
    await text(open, 'The signing backend holds no key that could take its place');
    await page.getByRole('button', { name: 'Make a key' }).click();
    await reserve(open).getByRole('radio').first().waitFor();
    await confirm(open, `cut off ${manifestKid}`, 'Cut off the key');
    await text(open, /is cut off;/);
    await page.screenshot({ path: pictureOf('key-cut-off-wide-light'), fullPage: true });
    expect(await faultsOf(open)).toEqual([]);
    expect(await eventsOf('signer.compromised')).toHaveLength(1);
    await page.goto(`/keys/${manifestKid}`);
    await text(open, 'compromised');
  }, 90_000);
});
