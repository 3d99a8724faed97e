import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWithFirefox, FirefoxPage, withStack } from '#dev/testing';

const CONSISTENT = 'Consistent with what this kernel says of itself';

/** What an auditor at Firefox sees of one event; every case of it is in verification.e2e, in Chromium. */
describeWithFirefox('the admin UI in Firefox', () => {
  const stack = withStack({
    workers: ['outbox-relay', 'indexer', 'log-publisher'],
    people: true,
    restart: false,
  });
  let page: FirefoxPage;
  let folder: string;
  let ids: string[];
  const urlOf = (n: number) => `${stack().web?.origin}/audit/${ids[n]}`;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kernel-test-firefox-'));
    const events = ['north', 'east', 'south'].map((door) => ({
      type: 'door.opened',
      stream: 'door/all',
      payload: { door },
    }));
    const answer = await stack().client('OPERATOR').post('/kernel/audit', { events });
    ids = (answer.json as { events: { id: string }[] }).events.map(({ id }) => id);
    page = await FirefoxPage.open(stack().web?.origin ?? '');
    await page.press('Sign in');
    await page.shows('This identity provider is for development');
    await page.press('auditor');
    await page.shows('Overview');
  }, 120_000);
  afterAll(async () => {
    await page?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('finds nothing wrong with an event by the keys of the kernel, in every step', async () => {
    await page.goTo(urlOf(1));
    await page.shows('c2sp.org/tlog-proof@v1');
    await page.shows(CONSISTENT);
    expect((await page.shows('That goes in a circle')).text).toContain('"east"');
    const steps = await page.run<string[]>(
      `[...document.querySelectorAll('[aria-label="Steps of the verification"] li')].map((step) => step.innerText)`,
    );
    expect(steps.map((text) => text.split(/\n+/)[0])).toEqual([
      ...Array<string>(6).fill('right'),
      'not known',
    ]);
    expect(await page.problems()).toEqual([]);
  });

  it('verifies it by the keys of the person', async () => {
    const signers = join(folder, 'from-the-vault.json');
    await writeFile(signers, (await stack().client('AUDITOR').get('/kernel/keys/signers.json')).text);
    await page.goTo(urlOf(1));
    await page.choose('input[type=file][aria-label="Load your signers.json"]', [signers]);
    await page.shows('Verified by your keys');
    expect(await page.problems()).toEqual([]);
    await page.press("Trust the kernel's keys again");
    await page.shows(CONSISTENT);
  });

  it('finds an event that is not the one that was signed', async () => {
    const path = `/kernel/audit/${ids[2]}`;
    const genuine = (await stack().client('AUDITOR').get(path)).text;
    const tampered = genuine.replace('"south"', '"north"');
    expect(tampered).not.toBe(genuine);
    await page.answer(`${stack().web?.origin}${path}`, 'application/json', tampered);
    await page.goTo(urlOf(2));
    await page.shows('Not verified');
    await page.shows('its content has');
    expect(await page.problems()).toEqual([]);
  });
});
