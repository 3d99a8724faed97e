import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  addVirtualPasskey,
  describeWithChromium,
  type OpenPage,
  PeopleAtBrowsers,
  type VirtualPasskey,
  withStack,
} from '#dev/testing';
import { until } from '../faults/until';
import { PersonAtDesk } from '../governance/approvers';
import { cli, connectionTo } from '../governance/cli';
import { verifyFile } from '../governance/verify-offline';
import { faultsOf } from './screens';

/** People decide about upgrades in their browsers, each with a profile of their own. In the order of a story. */
describeWithChromium('upgrades and approvers in the admin UI', () => {
  const stack = withStack({
    workers: ['outbox-relay', 'indexer', 'log-publisher'],
    people: true,
    restart: false,
  });
  let people: PeopleAtBrowsers;
  let folder: string;
  const approvers: { open: OpenPage; passkey: VirtualPasskey }[] = [];
  let operator: OpenPage;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kernel-test-ui-upgrades-'));
    people = await PeopleAtBrowsers.start(stack().web?.origin ?? '');
    operator = await people.signIn('operator');
    for (const n of [1, 2, 3]) {
      const open = await people.signIn(`approver-${n}`, '/approvers');
      approvers.push({ open, passkey: await addVirtualPasskey(open) });
    }
  }, 120_000);
  afterAll(async () => {
    await people.close();
    await rm(folder, { recursive: true, force: true });
  });

  const approver = (n: number) => {
    const found = approvers[n - 1];
    if (found === undefined) throw new Error(`there is no approver ${n}`);
    return found;
  };
  const button = ({ page }: OpenPage, name: string | RegExp) =>
    page.getByRole('button', { name, exact: typeof name === 'string' });
  const text = ({ page }: OpenPage, value: string | RegExp) => page.getByText(value).first().waitFor();
  const heading = ({ page }: OpenPage, name: string) =>
    page.getByRole('heading', { name, exact: true, level: 1 }).waitFor();
  /** The reason under a button that is off. */
  const reasonOf = async (open: OpenPage, name: string) => {
    const off = button(open, name);
    await off.waitFor();
    const id = await off.getAttribute('aria-describedby');
    return id === null ? null : open.page.locator(`[id="${id}"]`).innerText();
  };
  const show = async (open: OpenPage, id: string) => {
    await open.page.goto(`/upgrades/${id}`);
    await heading(open, id);
  };
  type Decision = 'Approve' | 'Reject' | 'Ratify';
  // Its radio button is not seen; the label is what is pressed.
  const choose = (open: OpenPage, decision: Decision) =>
    open.page.getByRole('radiogroup').getByText(decision, { exact: true }).click();
  const showWhatISign = async (open: OpenPage, decision: Decision) => {
    await choose(open, decision);
    await button(open, 'Show what I sign').click();
    await open.page.getByRole('group', { name: 'What you sign' }).waitFor();
  };
  const propose = async (upgradeId: string) => {
    const manifest = { upgradeId, type: 'code', target: 'kernel-api', rationale: 'a fix' };
    const answer = await stack().client('OPERATOR').post('/kernel/upgrade', { manifest });
    expect(answer.status).toBe(201);
  };

  it('register passkeys, which count nowhere before they are voted in', async () => {
    for (const n of [1, 2, 3]) {
      const { open, passkey } = approver(n);
      await heading(open, 'Approvers');
      if (n === 1) {
        await passkey.verifies(false);
        await button(open, 'Register a passkey').click();
        await text(open, 'Not registered');
        await passkey.verifies(true);
      }
      await button(open, 'Register a passkey').click();
      await text(open, 'It counts nowhere yet');
      await text(open, /It stays in one device/);
      expect(await reasonOf(open, 'Propose to put it into the pool')).toContain('Ask an operator');
      expect(await faultsOf(open)).toEqual([]);
    }
    // Kept for its owner, who sees it again after a sign-in or another page.
    await approver(1).open.page.reload();
    await text(approver(1).open, 'It counts nowhere yet');
  }, 120_000);

  it('have them put into the pool by upgrades', async () => {
    for (const n of [1, 2, 3]) {
      await operator.page.goto('/approvers');
      const row = operator.page
        .getByRole('region', { name: 'Registered passkeys, newest first' })
        .getByRole('row')
        .filter({ hasText: `approver-${n}` });
      await row.getByText('waits for the pool').waitFor();
      await row.getByRole('button', { name: 'Propose to put it into the pool' }).click();
      await heading(operator, 'Propose an upgrade');
      const difference = operator.page.getByRole('region', { name: 'Difference' });
      await difference.waitFor();
      const lines = (await difference.innerText()).trim().split('\n');
      expect(lines.length).toBeGreaterThan(4);
      for (const line of lines) expect(line).toMatch(new RegExp(`^\\+ /approvers/approver-${n}/keys/`));
      await button(operator, 'Propose it').click();
      const id = `pool-v${n + 1}`;
      await heading(operator, id);
      for (const m of [1, 2, 3]) await new PersonAtDesk(stack(), m).sign(id);
      await text(operator, /the quorum is reached/);
      await button(operator, 'Apply').click();
      await button(operator, 'Apply it now').click();
      await text(operator, /It was applied with 3 of 3 approvals/);
      await operator.page.goto('/approvers');
      await row.getByText('in the pool', { exact: true }).waitFor();
    }
    await approver(3).open.page.reload();
    await text(approver(3).open, 'It is in the pool in force');
    expect(await faultsOf(operator)).toEqual([]);
  }, 180_000);

  it('propose by a form that says what is wrong, and keeps what is typed', async () => {
    const { page } = operator;
    await page.goto('/propose');
    await heading(operator, 'Propose an upgrade');
    await button(operator, 'Propose it').click();
    await text(operator, /An id is 1 to 128 letters/);
    await text(operator, 'Say what it changes.');
    expect(await faultsOf(operator)).toEqual([]);
    await page.getByLabel('Id', { exact: true }).fill('billing-2.0.0');
    await page.getByLabel('Target').fill('billing');
    await page.getByLabel('Rationale').fill('Rounds invoices \u202eas agreed.');
    await page.getByLabel('Other members of the manifest').fill('{"preconditions":["smoke-test"],}');
    await text(operator, /This is not the JSON that can be signed/);
    await page.reload();
    expect(await page.getByLabel('Target').inputValue()).toBe('billing');
    await page.getByLabel('Other members of the manifest').fill('{"preconditions":["smoke-test"]}');
    await button(operator, 'Propose it').click();
    await heading(operator, 'billing-2.0.0');
    await text(operator, /Rounds invoices \\u202eas agreed\./);
    expect(await reasonOf(operator, 'Apply')).toBe('0 of 3 approvals count; 3 more are needed.');
    expect(await reasonOf(operator, 'Sign')).toBe('You are not a member of the approver pool.');
    expect(await faultsOf(operator)).toEqual([]);
  }, 60_000);

  it('approve with their passkeys what they are shown', async () => {
    const { json } = await stack().client('OPERATOR').get('/kernel/upgrade/billing-2.0.0');
    const { manifestSha256 } = (json as { upgrade: { manifestSha256: string } }).upgrade;
    for (const n of [1, 2, 3]) {
      const { open, passkey } = approver(n);
      await open.page.goto('/upgrades');
      await open.page.getByRole('row').filter({ hasText: 'Approve or reject' }).waitFor();
      await open.page.getByRole('link', { name: 'billing-2.0.0' }).click();
      await heading(open, 'billing-2.0.0');
      expect(await reasonOf(open, 'Show what I sign')).toBe('Choose first what you decide.');
      await open.page.getByLabel('Notes').fill(`read by ${n}`);
      await showWhatISign(open, 'Approve');
      const shown = open.page.getByRole('group', { name: 'What you sign' });
      expect(await shown.innerText()).toContain(manifestSha256);
      expect(await faultsOf(open)).toEqual([]);
      if (n === 1) {
        await passkey.verifies(false);
        await button(open, 'Approve with my passkey').click();
        await text(open, 'Not signed');
        await passkey.verifies(true);
      }
      await button(open, 'Approve with my passkey').click();
      await text(open, /Your approval is in the chain, at \d+:\d+/);
      expect(await reasonOf(open, 'Sign')).toContain('You have signed to approve it');
      await text(open, `“read by ${n}”`);
    }
    expect(await faultsOf(approver(3).open)).toEqual([]);
  }, 120_000);

  it('apply it when its checks have passed, and take the evidence away', async () => {
    await show(operator, 'billing-2.0.0');
    await text(operator, /the quorum is reached/);
    expect(await reasonOf(operator, 'Apply')).toBe('Checks that must have passed first: smoke-test.');
    const checked = await stack()
      .client('SUPERADMIN')
      .post('/kernel/upgrade/billing-2.0.0/check', { name: 'smoke-test', passed: true });
    expect([200, 201]).toContain(checked.status);
    await text(operator, 'smoke-test: passed');
    await button(operator, 'Apply').click();
    await button(operator, 'Apply it now').click();
    await text(operator, /It was applied with 3 of 3 approvals/);
    await text(operator, 'It was applied with its quorum.');
    await button(operator, /^Fetch/).click();
    await button(operator, 'Fetch it again').waitFor();
    await until('the evidence is in the published log', async () => {
      if (await operator.page.getByText('It is anchored in the published log.').isVisible()) return true;
      await button(operator, 'Fetch it again').click();
      return false;
    });
    const [download] = await Promise.all([
      operator.page.waitForEvent('download'),
      button(operator, 'Save the evidence').click(),
    ]);
    const evidence = join(folder, download.suggestedFilename());
    await download.saveAs(evidence);
    const signers = join(folder, 'signers.json');
    await writeFile(signers, (await stack().client('OPERATOR').get('/kernel/keys/signers.json')).text);
    const verdict = await verifyFile(evidence, signers);
    expect(verdict).toMatchObject({ code: 0 });
    expect(await faultsOf(operator)).toEqual([]);
  }, 120_000);

  it('are shown the command that signs with a key file, and the same digests on a second device', async () => {
    await propose('by-hand-1');
    const open = await people.signIn('approver-4', '/upgrades/by-hand-1');
    await heading(open, 'by-hand-1');
    await choose(open, 'Reject');
    expect(await reasonOf(open, 'Show what I sign')).toBe('Say why you reject it.');
    await open.page.getByLabel('Notes').fill("it's too early");
    await showWhatISign(open, 'Reject');
    const shown = await open.page.getByRole('group', { name: 'What you sign' }).innerText();
    expect(shown).toMatch(
      /\.\/kernel upgrade reject by-hand-1 --approver approver-4 .* --signing-key KEY\.pem/,
    );
    const approvedAt = /--approved-at (\S+) --dry-run/.exec(shown)?.[1] ?? '';
    const me = stack().identities.approvers[3];
    if (me === undefined) throw new Error('there are five approvers');
    const printed = await cli([
      ...['upgrade', 'reject', 'by-hand-1', '--approver', me.id, '--notes', "it's too early"],
      ...['--approved-at', approvedAt, '--dry-run', ...connectionTo(stack(), me.tls)],
    ]);
    const digests = [...printed.matchAll(/sha256 ([0-9a-f]{64})/g)].map(([, digest]) => digest);
    expect(digests).toHaveLength(2);
    for (const digest of digests) expect(shown).toContain(digest);
    expect(await faultsOf(open)).toEqual([]);
    await open.context.close();
  }, 60_000);

  it('sign in once more for an emergency, and go on with what they typed', async () => {
    await propose('fire-1');
    const open = await people.signIn('superadmin', '/upgrades/fire-1');
    await heading(open, 'fire-1');
    await button(open, 'Apply in an emergency').click();
    expect(await reasonOf(open, 'Apply it without a quorum')).toBe('Give a reason first.');
    await open.page.getByLabel('Reason').fill('it burns');
    // A session whose sign-in is five minutes old takes five minutes: the first answer is the kernel's to such a one.
    await open.page.route(
      '**/emergency-apply',
      (route) =>
        route.fulfill({
          status: 401,
          contentType: 'application/problem+json',
          body: JSON.stringify({
            status: 401,
            error: 'reauthentication_required',
            title: 'Unauthorized',
            detail: 'This command needs a sign-in that is at most 5 minutes old.',
            maxAgeSeconds: 300,
          }),
        }),
      { times: 1 },
    );
    await button(open, 'Apply it without a quorum').click();
    const dialog = open.page.getByRole('dialog', { name: 'Sign in once more' });
    await dialog.getByRole('link', { name: 'Sign in again' }).click();
    await people.choose(open.page, 'superadmin');
    await heading(open, 'fire-1');
    expect(await open.page.getByLabel('Reason').inputValue()).toBe('it burns');
    await button(open, 'Apply it without a quorum').click();
    await text(open, /It is in force without its quorum, at \d+:\d+/);
    expect(await reasonOf(open, 'Apply')).toContain('It is in force already, without its quorum');
    expect(await faultsOf(open)).toEqual([]);
    await open.context.close();
  }, 60_000);

  it('ratify an emergency with their passkeys', async () => {
    for (const n of [1, 2, 3]) {
      const { open } = approver(n);
      await open.page.goto('/upgrades');
      await open.page.getByRole('row').filter({ hasText: 'Ratify or reject' }).waitFor();
      await show(open, 'fire-1');
      await showWhatISign(open, 'Ratify');
      await button(open, 'Ratify with my passkey').click();
      await text(open, /Your ratification is in the chain/);
    }
    await text(approver(3).open, 'a quorum has ratified it since');
    await show(operator, 'fire-1');
    await text(operator, 'a quorum has ratified it since');
  }, 120_000);

  it('withdraw, report and propose to undo, as far as each may', async () => {
    const { page } = operator;
    await page.goto('/propose');
    await page.getByLabel('Id', { exact: true }).fill('mistake-1');
    await page.getByLabel('Target').fill('kernel-api');
    await page.getByLabel('Rationale').fill('typed too fast');
    await button(operator, 'Propose it').click();
    await heading(operator, 'mistake-1');
    // What was last applied to the same target.
    await text(operator, /Compared with fire-1/);
    await button(operator, 'Withdraw').click();
    await page.getByLabel('Reason').fill('a mistake');
    await button(operator, 'Withdraw it').click();
    await text(operator, /It is withdrawn, at \d+:\d+/);
    await text(operator, 'Its proposer took it back.');
    await show(operator, 'billing-2.0.0');
    expect(await reasonOf(operator, 'Withdraw')).toBe('It is over: applied.');
    await button(operator, 'Report the outcome').click();
    await page.getByLabel('Detail').fill('rolled out everywhere');
    await button(operator, 'Report it').click();
    await text(operator, /It is reported as completed/);
    await button(operator, 'Propose to undo it').click();
    await page.getByLabel('Rationale').fill('it rounds the wrong way');
    await button(operator, 'Propose the rollback').click();
    await page.getByRole('link', { name: 'billing-2.0.0.rollback' }).click();
    await heading(operator, 'billing-2.0.0.rollback');
    await text(operator, /It undoes/);
    await page.goto('/upgrades?view=history&status=withdrawn');
    await page.getByRole('link', { name: 'mistake-1' }).waitFor();
    expect(await page.getByRole('link', { name: 'billing-2.0.0' }).count()).toBe(0);
    expect(await faultsOf(operator)).toEqual([]);
  }, 90_000);

  it('revoke their own keys, and no others', async () => {
    const { open } = approver(2);
    await open.page.goto('/approvers');
    const revokes = (n: number) =>
      open.page.getByRole('button', { name: new RegExp(`^Revoke approver-${n}-`) });
    await revokes(2).first().waitFor();
    expect(await revokes(1).count()).toBe(0);
    await open.page.getByRole('button', { name: /^Revoke approver-2-webauthn/ }).click();
    await open.page.getByLabel('Reason').fill('the phone is lost');
    await button(open, 'Revoke it for ever').click();
    await text(open, /no longer counts anywhere/);
    await text(open, 'Counts nowhere');
    expect(await faultsOf(open)).toEqual([]);
  }, 60_000);
});
