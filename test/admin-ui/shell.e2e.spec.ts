import { describeWithChromium, type OpenPage, PeopleAtBrowsers, withStack } from '#dev/testing';
import { pictureOf } from './screens';

/** What every page of the admin UI does, whatever its screen. */
describeWithChromium('the shell of the admin UI', () => {
  const stack = withStack({ workers: ['outbox-relay', 'indexer'], people: true, restart: false });
  let people: PeopleAtBrowsers;
  const contexts: OpenPage[] = [];

  beforeAll(async () => {
    people = await PeopleAtBrowsers.start(stack().web?.origin ?? '');
  }, 60_000);
  afterAll(() => people.close());
  afterEach(async () => {
    for (const { context } of contexts.splice(0)) await context.close();
  });

  const signIn: PeopleAtBrowsers['signIn'] = async (...given) => {
    const open = await people.signIn(...given);
    contexts.push(open);
    return open;
  };
  const admin = () => stack().client('SUPERADMIN');
  const pathOf = ({ page }: OpenPage) => {
    const { pathname, search } = new URL(page.url());
    return pathname + search;
  };
  const sessionOf = ({ page }: OpenPage) =>
    page.evaluate<string>(
      `fetch('/auth/session').then((answer) => answer.json()).then(({ sessionId }) => sessionId)`,
    );

  it('brings somebody back to where they wanted to go', async () => {
    const open = await signIn('auditor', '/audit?type=invoice.paid');
    expect(pathOf(open)).toBe('/audit?type=invoice.paid');
    await open.page.getByLabel('Type', { exact: true }).waitFor();
    expect(await open.problems()).toEqual([]);
  });

  it('goes on where somebody was when their session ended, with what they had typed', async () => {
    const open = await signIn('operator', '/audit?type=invoice.paid');
    const actor = () => open.page.getByLabel('Actor', { exact: true });
    await actor().fill('spiffe://kernel.localhost/half-a-na');
    const ended = await admin().request('DELETE', `/kernel/sessions/${await sessionOf(open)}`);
    expect(ended.status).toBe(200);
    await open.page.getByRole('button', { name: 'Find' }).click();
    const dialog = open.page.getByRole('dialog', { name: 'Your session has ended' });
    // The page asks by itself soon, too.
    await dialog.waitFor();
    expect(await actor().inputValue()).toBe('spiffe://kernel.localhost/half-a-na');
    expect(await open.violations()).toEqual([]);
    await open.page.screenshot({ path: pictureOf('session-ended-wide-light') });
    // The provider still knows them.
    await dialog.getByRole('link', { name: 'Sign in again' }).click();
    await open.page.waitForURL((url) => url.pathname === '/audit');
    expect(pathOf(open)).toBe('/audit?type=invoice.paid');
    expect(await actor().inputValue()).toBe('spiffe://kernel.localhost/half-a-na');
    await dialog.waitFor({ state: 'detached' });
    expect(await open.problems()).toEqual([]);
  });

  it('goes on by itself when somebody has signed in again in another tab', async () => {
    const open = await signIn('operator');
    await admin().request('DELETE', `/kernel/sessions/${await sessionOf(open)}`);
    const dialog = open.page.getByRole('dialog', { name: 'Your session has ended' });
    await dialog.waitFor();
    const other = await open.context.newPage();
    await other.goto('/auth/login');
    await other.getByRole('heading', { name: 'Overview' }).waitFor();
    await open.page.bringToFront();
    // The browser without a window does not tell of the change by itself.
    await open.page.evaluate(`document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))`);
    await dialog.waitFor({ state: 'detached' });
  });

  it('shows nothing of one person to the next at the same tab', async () => {
    const open = await signIn('operator', '/audit?type=invoice.paid');
    await open.page.getByLabel('Actor', { exact: true }).fill('of the operator');
    await open.page.getByRole('button', { name: /account and sign-out/ }).click();
    await open.page.getByRole('button', { name: 'Sign out' }).click();
    // The provider asks about its own session.
    await open.page.getByText('Sign out of the development identity provider too?').waitFor();
    await open.page.getByRole('button', { name: 'Sign out', exact: true }).click();
    await open.page.getByRole('link', { name: 'Sign in' }).waitFor();
    expect(pathOf(open)).toBe('/');
    await open.page.goto('/audit?type=invoice.paid');
    await open.page.getByRole('link', { name: 'Sign in' }).click();
    await people.choose(open.page, 'auditor');
    await open.page.getByRole('heading', { name: 'Audit', exact: true }).waitFor();
    expect(await open.page.getByLabel('Actor', { exact: true }).inputValue()).toBe('');
  });

  it('works by keyboard: the skip link, the navigation, the focus on a new page', async () => {
    const { page } = await signIn('auditor');
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    const focused = () =>
      page.evaluate<string>('(document.activeElement.id || document.activeElement.textContent)');
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Skip to the content');
    await page.screenshot({ path: pictureOf('skip-link-wide-light') });
    await page.keyboard.press('Enter');
    expect(await focused()).toBe('content');
    await page.getByRole('link', { name: 'Audit', exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Newest events' }).waitFor();
    await page.locator('h1:focus').filter({ hasText: 'Audit' }).waitFor();
    expect(await page.title()).toBe('Audit · Illuvrse kernel');
  });

  it('keeps the colours and the zone that somebody chose', async () => {
    const { page } = await signIn('auditor', '/audit');
    await page.getByRole('button', { name: 'Use dark colours' }).click();
    await page.getByRole('button', { name: /account and sign-out/ }).click();
    await page.getByText('UTC', { exact: true }).click();
    await page.keyboard.press('Escape');
    await page.reload();
    await page.getByRole('button', { name: 'Use light colours' }).waitFor();
    const time = page.getByRole('table').getByRole('time').first();
    await page.getByRole('table').waitFor();
    expect(await time.innerText()).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/);
  });

  it('shows events as they come, and stops when nobody wants them', async () => {
    const open = await signIn('auditor', '/audit');
    await open.page.getByText('Live', { exact: true }).waitFor();
    await stack().client('OPERATOR').post('/kernel/audit', { type: 'lamp.lit', payload: {} });
    await open.page.getByRole('link', { name: 'lamp.lit' }).waitFor();
    await open.page.getByRole('switch', { name: 'As they come' }).click();
    await open.page.getByText('Live', { exact: true }).waitFor({ state: 'detached' });
    expect(await open.problems()).toEqual([]);
  });

  it('finds an event by whatever somebody has in hand', async () => {
    const answer = await stack()
      .client('OPERATOR')
      .post('/kernel/audit', { type: 'bell.rung', stream: 'bell/north', payload: {} });
    const [event] = (answer.json as { events: { id: string; shard: number; seq: number }[] }).events;
    const { page } = await signIn('auditor', '/audit');
    for (const text of [event?.id ?? '', `${event?.shard}:${event?.seq}`]) {
      await page.goto('/audit');
      await page.getByRole('textbox', { name: 'Find' }).fill(text);
      await page.getByRole('button', { name: 'Find' }).click();
      await page.getByRole('heading', { name: 'bell.rung' }).waitFor();
    }
    for (const text of ['bell/north', 'bell.rung']) {
      await page.goto('/audit');
      await page.getByRole('textbox', { name: 'Find' }).fill(text);
      await page.keyboard.press('Enter');
      await page.getByText('1 event on this page').waitFor();
      await page.getByRole('link', { name: 'bell.rung' }).waitFor();
    }
    await page.getByRole('textbox', { name: 'Find' }).fill('0:999999');
    await page.keyboard.press('Enter');
    await page.getByText('There is no event at 0:999999.').waitFor();
  });

  it('says when the device is offline, and when the kernel is away, until it is back', async () => {
    const open = await signIn('auditor');
    await open.page.getByRole('heading', { name: 'The chain', exact: true }).waitFor();
    await open.context.setOffline(true);
    await open.page.getByText('You are offline').waitFor();
    await open.page.screenshot({ path: pictureOf('offline-wide-light') });
    expect(await open.violations()).toEqual([]);
    await open.context.setOffline(false);
    await open.page.getByText('You are offline').waitFor({ state: 'detached' });
    const [kernel] = stack().kernels;
    await kernel?.process.kill();
    await open.page.getByText('The kernel does not answer').first().waitFor();
    // What was read stays.
    await open.page.getByRole('heading', { name: 'The chain', exact: true }).waitFor();
    await kernel?.process.start();
    await open.page
      .getByText('The kernel does not answer')
      .first()
      .waitFor({ state: 'detached', timeout: 40_000 });
    expect(await open.problems()).toEqual([]);
  }, 120_000);

  it('has a banner on every page while the kernel is read-only, and while an emergency is not ratified', async () => {
    const open = await signIn('superadmin', '/there/is/no/such');
    const manifest = { upgradeId: 'fire-1', type: 'code', target: 'kernel-api', rationale: 'it burns' };
    expect((await admin().post('/kernel/upgrade', { manifest })).status).toBe(201);
    const applied = await admin().post('/kernel/upgrade/fire-1/emergency-apply', { reason: 'it burns' });
    expect([200, 201]).toContain(applied.status);
    await open.page.getByText('An emergency is not ratified').waitFor();
    await open.page.getByText(/Approvers have to ratify it by/).waitFor();
    await admin().post('/kernel/admin/mode', { mode: 'read-only', reason: 'we move the database' });
    await open.page.getByText('The kernel is read-only').waitFor();
    await open.page.getByText(/Reason: we move the database/).waitFor();
    for (const [path, heading] of [
      ['/', 'Overview'],
      ['/audit', 'Audit'],
    ] as const) {
      await open.page.goto(path);
      await open.page.getByRole('heading', { name: heading, exact: true }).waitFor();
      await open.page.getByText('The kernel is read-only').waitFor();
      await open.page.getByText('An emergency is not ratified').waitFor();
    }
    await open.page.goto('/');
    await open.page.getByText(/Reason: we move the database/).waitFor();
    await open.page.screenshot({ path: pictureOf('banners-wide-light') });
    expect(await open.violations()).toEqual([]);
    await admin().post('/kernel/admin/mode', { mode: 'normal', reason: 'done' });
    await open.page.getByText('The kernel is read-only').waitFor({ state: 'detached' });
    expect(await open.problems()).toEqual([]);
  }, 120_000);

  it('runs no script whose content is not the one that was built', async () => {
    const open = await signIn('auditor');
    await open.page.getByRole('heading', { name: 'Overview' }).waitFor();
    await open.page.route('**/assets/audit.screen-*.js', async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, body: `${await answer.text()}\n` });
    });
    await open.page.getByRole('link', { name: 'Audit', exact: true }).click();
    await open.page.getByRole('button', { name: 'Load the page again' }).waitFor();
    await open.page.unroute('**/assets/audit.screen-*.js');
  });
});
