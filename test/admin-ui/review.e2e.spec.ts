import { readFile } from 'node:fs/promises';
import { describeWithChromium, type OpenPage, PeopleAtBrowsers, withStack } from '#dev/testing';
import { until } from '../faults/until';
import { ContractClient } from '../contract/contract.client';
import { PersonAtDesk } from '../governance/approvers';
import { cli, connectionTo } from '../governance/cli';
import { pictureOf } from './screens';

/** The report for reviewers: in the page, as a file, on paper and in a terminal. In the order of a story. */
describeWithChromium('the review of upgrades', () => {
  const stack = withStack({ workers: ['outbox-relay', 'indexer'], people: true, restart: false });
  const operator = () => new ContractClient(stack().client('OPERATOR'));
  let people: PeopleAtBrowsers;
  let open: OpenPage;
  const day = (ms = 0) => new Date(Date.now() + ms).toISOString().slice(0, 10);
  // Over midnight of UTC too.
  const [yesterday, tomorrow] = [day(-86_400_000), day(86_400_000)];

  const propose = async (upgradeId: string): Promise<string> => {
    const manifest = { upgradeId, type: 'code', target: 'billing', rationale: '=cmd|calc' };
    const { status, json } = await operator().post('/kernel/upgrade', { manifest });
    expect(status).toBe(201);
    return json.position as string;
  };
  const indexed = (position: string) =>
    until('the index is there', async () => {
      const headers = { 'kernel-min-position': position };
      return (await stack().client('AUDITOR').get('/kernel/audit?limit=1', { headers })).status === 200;
    });

  beforeAll(async () => {
    await propose('fix-1');
    for (const n of [1, 2, 3]) {
      const answer = await new PersonAtDesk(stack(), n).sign('fix-1', 'approve', `seen by ${n}`);
      expect(answer.status).toBe(201);
    }
    expect((await operator().post('/kernel/upgrade/fix-1/apply', {})).status).toBe(200);
    await propose('fire-1');
    const burning = await new ContractClient(stack().client('SUPERADMIN')).post(
      '/kernel/upgrade/fire-1/emergency-apply',
      { reason: 'it burns' },
    );
    expect(burning.status).toBe(200);
    await indexed(await propose('open-1'));
    people = await PeopleAtBrowsers.start(stack().web?.origin ?? '');
    open = await people.signIn('auditor', '/review');
  }, 120_000);
  afterAll(() => people.close());

  const item = (id: string) => open.page.getByRole('article', { name: id });
  const count = async (label: string) =>
    open.page.locator('.counts > div', { hasText: label }).first().locator('dd').innerText();

  it('asks for a period, and has it in the address', async () => {
    await open.page.getByText('Choose a period').waitFor();
    await open.page.getByRole('button', { name: 'Report', exact: true }).click();
    await open.page.getByText('Choose the first and the last day.').waitFor();
    await open.page.getByLabel('First day').fill(yesterday);
    await open.page.getByLabel('Last day').fill(tomorrow);
    await open.page.getByLabel('Last day').press('Enter');
    await item('fix-1').waitFor();
    expect(new URL(open.page.url()).search).toBe(`?from=${yesterday}&to=${tomorrow}`);
    await open.page.getByRole('link', { name: 'Last year' }).click();
    await open.page.getByText('Nothing happened to any upgrade').waitFor();
    await open.page.getByText(/^Final: the chain goes on behind the period/).waitFor();
    await open.page.goBack();
    await item('fix-1').waitFor();
  });

  it('sums up who did what, with the duties of each', async () => {
    expect(await Promise.all(['Proposed', 'Applied with quorum', 'Emergencies'].map(count))).toEqual([
      '3',
      '1',
      '1',
    ]);
    await open.page.getByText('1 upgrade was applied by who had proposed it.').waitFor();
    const fix = await item('fix-1').innerText();
    expect(fix).toMatch(/approver-2, with the key \S+, approved \(calling as .*\): seen by 2 0:\d+/);
    expect(fix).toContain('3 of 3 counted: approver-1, approver-2, approver-3');
    expect(fix).toContain('Who proposed it also applied it.');
    expect(await item('fire-1').innerText()).toMatch(/it burns\s+To be ratified by .* UTC: not ratified yet/);
    expect(await open.violations()).toEqual([]);
    expect(await open.problems()).toEqual([]);
  });

  it('leads to the events of the chain', async () => {
    const link = item('fix-1').getByRole('listitem').filter({ hasText: 'seen by 3' }).getByRole('link');
    await link.click();
    await open.page.getByRole('heading', { name: 'upgrade.approval_given' }).waitFor();
    await open.page.goBack();
    await item('fix-1').waitFor();
  });

  it('is saved as CSV without formulas', async () => {
    const [file] = await Promise.all([
      open.page.waitForEvent('download'),
      open.page.getByRole('button', { name: 'Save as CSV' }).click(),
    ]);
    expect(file.suggestedFilename()).toBe(`review-${yesterday}-${tomorrow}.csv`);
    const lines = (await readFile(await file.path(), 'utf8')).trimEnd().split('\r\n');
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatch(/^upgrade,type,change,rationale,/);
    for (const line of lines) expect(line).not.toMatch(/(^|,)"?[=+@]/);
    expect(lines[1]).toContain(`fix-1,code,billing,'=cmd|calc,`);
    expect(lines[1]).toContain('seen by 3');
  });

  it('prints as a report, dark screens too, with its source', async () => {
    await open.page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    await open.page.setViewportSize({ width: 794, height: 1_123 });
    await open.page.screenshot({ path: pictureOf('review-print'), fullPage: true });
    const shown = (name: string) => open.page.getByRole('button', { name, exact: true }).isVisible();
    expect(await Promise.all(['Print', 'Save as CSV', 'Report'].map(shown))).toEqual([false, false, false]);
    expect(await open.page.getByRole('navigation', { name: 'Screens' }).isVisible()).toBe(false);
    expect(await open.page.getByText('Goes up to').isVisible()).toBe(true);
    expect(await open.page.getByText(/^\d{4}-\S+ \S+ UTC by .*auditor/).isVisible()).toBe(true);
    const colours = await open.page.evaluate<string[]>(
      `['body', 'section', 'dt', 'dd a'].flatMap((name) => {
        const { backgroundColor, color } = getComputedStyle(document.querySelector('#content ' + name) ?? document.body);
        return [backgroundColor, color];
      })`,
    );
    const [white, black, none] = ['rgb(255, 255, 255)', 'rgb(0, 0, 0)', 'rgba(0, 0, 0, 0)'];
    expect(colours).toEqual([white, black, white, black, none, 'rgb(68, 68, 68)', none, black]);
    await open.page.emulateMedia({ media: 'screen', colorScheme: 'light' });
    await open.page.setViewportSize({ width: 1_280, height: 900 });
  });

  it('comes out again as it was, by its position', async () => {
    const before = await item('open-1').innerText();
    await open.page.getByRole('link', { name: 'This address' }).click();
    await open.page.waitForURL(/through=0%3A\d+/);
    const withdrawn = await operator().post('/kernel/upgrade/open-1/withdraw', { reason: 'not needed' });
    await indexed(withdrawn.json.position as string);
    await open.page.reload();
    await item('open-1').waitFor();
    expect(await item('open-1').innerText()).toBe(before);
    await open.page.goto(`/review?from=${yesterday}&to=${tomorrow}&person=approver-1`);
    await item('fix-1').waitFor();
    expect(await open.page.getByRole('article').count()).toBe(1);
    await open.page.goto(`/review?from=${yesterday}&to=${tomorrow}&status=withdrawn`);
    await item('open-1').waitFor();
    expect(await open.page.getByRole('article').count()).toBe(1);
  });

  it('draws a part of a long one, and all of it on paper', async () => {
    let last = '';
    for (let n = 1; n <= 60; n += 1) last = await propose(`many-${n}`);
    await indexed(last);
    await open.page.goto(`/review?from=${yesterday}&to=${tomorrow}`);
    await open.page.getByRole('button', { name: 'Show the other 13' }).waitFor();
    expect(await open.page.getByRole('article').count()).toBe(50);
    // What a browser tells the page before it lays out what is printed.
    await open.page.evaluate('dispatchEvent(new Event("beforeprint"))');
    expect(await open.page.getByRole('article').count()).toBe(63);
    expect(await count('Proposed')).toBe('63');
  });

  it('is the same in a terminal', async () => {
    const { AUDITOR: auditor } = stack().identities.callers;
    const as = connectionTo(stack(), auditor);
    const period = ['--from', yesterday, '--to', `${tomorrow}T23:59:59Z`];
    const printed = await cli(['upgrade', 'review', ...period, ...as]);
    expect(printed).toMatch(
      /fix-1 +code +applied .*approver-1 approver-2 approver-3.*applied by the proposer/,
    );
    expect(printed).toMatch(/ {7}1 {2}withdrawn/);
    const [, position] = /through (0:\d+)/.exec(printed) ?? [];
    await propose('later-1');
    const lines = await cli(['upgrade', 'review', ...period, '--through', position ?? '', '--csv', ...as]);
    expect(lines).toMatch(/^time,position,event,type,upgrade,/);
    expect(lines).toContain('upgrade.emergency_applied,fire-1,code,');
    expect(lines).not.toContain('later-1');
    const json = await cli(['upgrade', 'review', ...period, '--type', 'code', '--json', ...as]);
    const first = JSON.parse(json.slice(0, json.indexOf('\n'))) as { upgradeId: string };
    expect(first.upgradeId).toBe('fix-1');
  });
});
