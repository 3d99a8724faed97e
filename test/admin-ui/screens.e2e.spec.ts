import { describeWithChromium, PeopleAtBrowsers, withStack } from '#dev/testing';
import { PersonAtDesk } from '../governance/approvers';
import {
  expectSound,
  faultsOf,
  heading,
  navigationOf,
  pictureOf,
  type Role,
  RolePages,
  ROLES,
  type Screen,
  text,
  VIEWS,
} from './screens';

/** The navigation of each, from top to bottom. */
const DECIDES = ['Upgrades', 'Approvers', 'Review'];
const READS = ['Why', 'Divisions', 'Agents', 'Keys'];
const EVERYTHING = [
  ...['Overview', ...DECIDES, 'Audit', 'Audit runs', ...READS],
  ...['Notifications', 'Webhooks', 'Sessions', 'System'],
];
const LINKS: Readonly<Record<Role, readonly string[]>> = {
  superadmin: EVERYTHING,
  operator: EVERYTHING,
  auditor: EVERYTHING,
  lead: ['Overview', ...DECIDES, 'Audit', ...READS, 'Sessions', 'System'],
  norole: ['Overview', 'System'],
  'approver-1': ['Overview', ...DECIDES, 'Sessions', 'System'],
};
const READS_EVERYTHING: readonly Role[] = ['superadmin', 'operator', 'auditor'];

describeWithChromium('the screens of the admin UI', () => {
  const stack = withStack({
    workers: ['outbox-relay', 'indexer', 'log-publisher'],
    people: true,
    restart: false,
  });
  let people: PeopleAtBrowsers;
  let eventId: string;
  const today = new Date().toISOString().slice(0, 10);

  beforeAll(async () => {
    const operator = stack().client('OPERATOR');
    for (let n = 1; n <= 60; n += 1) {
      await operator.post('/kernel/audit', {
        type: 'invoice.paid',
        stream: `invoice/2026-${n}`,
        payload: { amount: 12 * n, currency: 'EUR', note: n === 60 ? 'pay\u202e05.1 to me' : 'as agreed' },
      });
    }
    const answer = await operator.post('/kernel/audit', { type: 'door.opened', payload: { door: 'north' } });
    eventId = (answer.json as { events: { id: string }[] }).events[0]?.id ?? '';
    for (const upgradeId of ['billing-1.4.0', 'billing-1.5.0']) {
      const manifest = { upgradeId, type: 'code', target: 'kernel-api', rationale: 'a fix' };
      await operator.post('/kernel/upgrade', { manifest });
    }
    for (const n of [2, 3, 4]) await new PersonAtDesk(stack(), n).sign('billing-1.5.0');
    people = await PeopleAtBrowsers.start(stack().web?.origin ?? '');
  }, 180_000);
  afterAll(() => people.close());

  const pages = new RolePages(() => people);

  const SCREEN_LIST: readonly Screen[] = [
    {
      name: 'overview',
      path: () => '/',
      role: 'superadmin',
      shown: async (open) => {
        await text(open, /The stream has every event/);
        await text(open, /The index has every event/);
        await text(open, /The archive has nothing yet/);
        await text(open, /No audit has been recorded/);
        await text(open, /events published/);
        await text(open, 'Apply: its quorum is reached');
        // Three samples, one every five seconds.
        await open.page.getByRole('img', { name: /^Events a second: now/ }).waitFor();
      },
    },
    {
      name: 'overview-approver',
      path: () => '/',
      role: 'approver-1',
      shown: (open) => text(open, 'Approve or reject'),
    },
    {
      name: 'overview-without-role',
      path: () => '/',
      role: 'norole',
      shown: (open) => text(open, 'You have no role here'),
    },
    {
      name: 'audit',
      path: () => '/audit',
      role: 'auditor',
      shown: async (open) => {
        await text(open, 'Live');
        await open.page.getByRole('link', { name: 'door.opened' }).waitFor();
      },
    },
    {
      name: 'audit-runs-empty',
      path: () => '/audit/runs',
      role: 'auditor',
      shown: (open) => text(open, 'No audit has been recorded'),
    },
    {
      name: 'audit-filtered',
      path: () => '/audit?type=invoice.paid',
      role: 'auditor',
      shown: async (open) => {
        await text(open, 'Matching events, newest first');
        await text(open, '50 events on this page');
        await open.page.getByLabel('Type', { exact: true }).waitFor();
      },
    },
    {
      name: 'audit-nothing-found',
      path: () => '/audit?type=never.happened',
      role: 'auditor',
      shown: (open) => text(open, 'No event matches'),
    },
    {
      name: 'audit-forbidden',
      path: () => '/audit',
      role: 'norole',
      shown: (open) => text(open, 'You may not see this'),
    },
    {
      name: 'event',
      path: () => `/audit/${eventId}`,
      role: 'auditor',
      shown: async (open) => {
        await heading(open, 'door.opened');
        await text(open, 'c2sp.org/tlog-proof@v1');
        await text(open, 'Consistent with what this kernel says of itself');
      },
    },
    {
      name: 'event-not-there',
      path: () => '/audit/0198c0de-7a3b-7c4d-8e5f-0123456789ab',
      role: 'auditor',
      shown: (open) => text(open, 'There is no event with this id'),
    },
    {
      name: 'upgrades-need-me',
      path: () => '/upgrades',
      role: 'approver-1',
      shown: (open) => text(open, 'Approve or reject'),
    },
    {
      name: 'upgrades-all',
      path: () => '/upgrades?view=all',
      role: 'auditor',
      shown: async (open) => {
        await open.page.getByRole('link', { name: 'billing-1.5.0' }).waitFor();
        await text(open, '2 upgrades on this page');
      },
    },
    {
      name: 'upgrades-none',
      path: () => '/upgrades?view=history',
      role: 'auditor',
      shown: (open) => text(open, 'Nothing of that kind is over'),
    },
    {
      name: 'upgrades-forbidden',
      path: () => '/upgrades',
      role: 'norole',
      shown: (open) => text(open, 'You may not see this'),
    },
    {
      name: 'upgrade',
      path: () => '/upgrades/billing-1.5.0?do=apply',
      role: 'operator',
      shown: async (open) => {
        await text(open, /the quorum is reached/);
        await text(open, 'Has not signed.');
        await open.page.getByRole('button', { name: 'Apply it now' }).waitFor();
      },
    },
    {
      name: 'upgrade-approver',
      path: () => '/upgrades/billing-1.4.0',
      role: 'approver-1',
      shown: async (open) => {
        await text(open, 'Your decision');
        await text(open, 'Has not signed.');
      },
    },
    {
      name: 'upgrade-not-there',
      path: () => '/upgrades/no-such',
      role: 'auditor',
      shown: (open) => text(open, 'There is no upgrade with this id'),
    },
    {
      name: 'propose',
      path: () => '/propose',
      role: 'operator',
      shown: (open) => open.page.getByLabel('Rationale').waitFor(),
    },
    {
      name: 'propose-forbidden',
      path: () => '/propose',
      role: 'auditor',
      shown: (open) => text(open, 'You may not see this'),
    },
    {
      name: 'approvers',
      path: () => '/approvers',
      role: 'superadmin',
      shown: async (open) => {
        await text(open, /have to agree/);
        await text(open, 'No passkey was registered yet');
      },
    },
    {
      name: 'approvers-own',
      path: () => '/approvers',
      role: 'approver-1',
      shown: (open) => text(open, /\(you\)/),
    },
    {
      name: 'review',
      path: () => `/review?from=${today}&to=${today}`,
      role: 'auditor',
      shown: async (open) => {
        await open.page.getByRole('heading', { name: 'billing-1.5.0' }).waitFor();
        await text(open, 'Nobody signed about what they had proposed, or applied in an emergency.');
        await text(open, 'Not final: later events may belong to it.');
      },
    },
    {
      name: 'review-no-period',
      path: () => '/review',
      role: 'approver-1',
      shown: (open) => text(open, 'Choose a period'),
    },
    {
      name: 'review-nothing',
      path: () => '/review?from=2020-01-01&to=2020-12-31&person=nobody',
      role: 'auditor',
      shown: (open) => text(open, 'Nothing happened to any upgrade'),
    },
    {
      name: 'review-forbidden',
      path: () => '/review',
      role: 'norole',
      shown: (open) => text(open, 'You may not see this'),
    },
    {
      name: 'no-such-page',
      path: () => '/there/is/no/such',
      role: 'auditor',
      shown: (open) => heading(open, 'There is no such page'),
    },
  ];

  describe.each(VIEWS)('$name', (view) => {
    it('sign-in', async () => {
      const open = await people.open(view);
      await open.page.goto('/audit');
      await open.page.getByRole('link', { name: 'Sign in' }).waitFor();
      await open.page.screenshot({ path: pictureOf(`sign-in-${view.name}`), fullPage: true });
      expect(await faultsOf(open)).toEqual([]);
    });

    it.each(SCREEN_LIST)('$name', async (screen) => {
      await expectSound(await pages.of(screen.role, view), screen, view);
    });

    it('navigation and account', async () => {
      const open = await pages.of('superadmin', view);
      await open.page.goto('/');
      await heading(open, 'Overview');
      if (view.width === 390) {
        await open.page.getByRole('button', { name: 'Open the navigation' }).click();
        await open.page.getByRole('link', { name: 'Audit', exact: true }).waitFor();
        await open.page.screenshot({ path: pictureOf(`navigation-${view.name}`) });
        expect(await faultsOf(open)).toEqual([]);
        await open.page.getByRole('button', { name: 'Close the navigation' }).click();
      }
      await open.page.getByRole('button', { name: /account and sign-out/ }).click();
      await open.page.getByRole('button', { name: 'Sign out' }).waitFor();
      await open.page.screenshot({ path: pictureOf(`account-${view.name}`) });
      expect(await faultsOf(open)).toEqual([]);
    });
  });

  describe.each(ROLES)('for %s', (role) => {
    it('the navigation has what is of use', async () => {
      const open = await pages.of(role);
      await open.page.goto('/');
      await heading(open, 'Overview');
      expect(await navigationOf(open)).toEqual(LINKS[role]);
    });

    it('the account says who they are', async () => {
      const { page } = await pages.of(role);
      const account = page.getByRole('button', { name: /account and sign-out/ });
      await account.click();
      const said = await page.getByRole('dialog', { name: 'Account' }).innerText();
      const expected: Record<Role, string> = {
        superadmin: 'Role: SuperAdmin',
        lead: 'Role: DivisionLead of division product',
        operator: 'Role: Operator',
        auditor: 'Role: Auditor',
        norole: 'Role: no role',
        'approver-1': 'Approver: ',
      };
      expect(said).toContain(expected[role]);
      await page.keyboard.press('Escape');
    });

    it('the overview shows what they may see', async () => {
      const open = await pages.of(role);
      await open.page.goto('/');
      await heading(open, 'The chain');
      await heading(open, 'Signing');
      const seen = async (name: string) =>
        (await open.page.getByRole('heading', { name, exact: true }).count()) > 0;
      expect(await seen('Copies of the chain')).toBe(READS_EVERYTHING.includes(role));
      expect(await seen('Last audit')).toBe(READS_EVERYTHING.includes(role));
      expect(await seen('Published log')).toBe(READS_EVERYTHING.includes(role));
      expect(await seen('Waits for you')).toBe(role !== 'norole');
      expect(await open.problems()).toEqual([]);
    });

    it('the audit explorer shows what they may see', async () => {
      const open = await pages.of(role);
      await open.page.goto('/audit');
      await heading(open, 'Audit');
      if (READS_EVERYTHING.includes(role)) {
        await open.page.getByRole('link', { name: 'door.opened' }).waitFor();
      } else if (role === 'lead') {
        // Only their own sign-ins belong to the division.
        await open.page.getByRole('link', { name: 'session.opened' }).first().waitFor();
        expect(await open.page.getByRole('link', { name: 'door.opened' }).count()).toBe(0);
      } else {
        await text(open, 'You may not see this');
        expect(await open.page.getByRole('table').count()).toBe(0);
      }
      expect(await open.problems()).toEqual([]);
    });
  });

  it('show characters that hide', async () => {
    const { page } = await pages.of('auditor');
    await page.goto('/audit?stream=invoice%2F2026-60');
    await page.getByRole('link', { name: 'invoice.paid' }).click();
    const payload = page.getByRole('region', { name: 'Payload' });
    expect(await payload.innerText()).toContain('pay\\u202e05.1 to me');
  });
});
