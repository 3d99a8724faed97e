import { parseSignersFile, signersJson } from '#evidence';
import { describeWithChromium, type OpenPage, PeopleAtBrowsers, TestSigner, withStack } from '#dev/testing';
import { pictureOf } from './screens';

const STEPS = [
  'Content and hash',
  'Link to the event before',
  'Path in its group',
  'Signature',
  'Key',
  'Receipt',
  'Cosignatures',
];
const CONSISTENT = 'Consistent with what this kernel says of itself';

/** One event judged in the browser, as a person sees it. */
describeWithChromium('verification in the browser', () => {
  const stack = withStack({
    workers: ['outbox-relay', 'indexer', 'log-publisher'],
    people: true,
    restart: false,
  });
  let people: PeopleAtBrowsers;
  let ids: string[];
  let signers: string;
  const contexts: OpenPage[] = [];

  beforeAll(async () => {
    const answer = await stack()
      .client('OPERATOR')
      .post('/kernel/audit', {
        events: ['north', 'east', 'south'].map((door) => ({
          type: 'door.opened',
          stream: 'door/all',
          payload: { door },
        })),
      });
    ids = (answer.json as { events: { id: string }[] }).events.map(({ id }) => id);
    signers = (await stack().client('AUDITOR').get('/kernel/keys/signers.json')).text;
    people = await PeopleAtBrowsers.start(stack().web?.origin ?? '');
  }, 120_000);
  afterAll(() => people.close());
  afterEach(async () => {
    for (const { context } of contexts.splice(0)) await context.close();
  });

  /** The page of the second of three events that were signed together, when it is in the published log. */
  const openEvent = async (): Promise<OpenPage> => {
    const open = await people.signIn('auditor', `/audit/${ids[1]}`);
    contexts.push(open);
    await open.page.getByText('c2sp.org/tlog-proof@v1').waitFor();
    return open;
  };
  const says = ({ page }: OpenPage, text: string | RegExp) => page.getByText(text).first().waitFor();
  const stepsOf = async ({ page }: OpenPage) =>
    (
      await page
        .getByRole('list', { name: 'Steps of the verification' })
        .getByRole('listitem')
        .allInnerTexts()
    ).map((text) => text.split(/\n+/).slice(0, 2).reverse().join(': '));
  const choose = async ({ page }: OpenPage, label: string, name: string, text: string) => {
    await page
      .locator(`input[type=file][aria-label="${label}"]`)
      .setInputFiles({ name, mimeType: 'text/plain', buffer: Buffer.from(text) });
  };
  const OWN = 'Load your signers.json';
  const POLICY = 'Load your log policy';

  it("judges every step, and by the kernel's own keys says no more than that nothing contradicts", async () => {
    const open = await openEvent();
    await says(open, CONSISTENT);
    await says(open, /That goes in a circle/);
    expect(await stepsOf(open)).toEqual(
      STEPS.map((step) => `${step}: ${step === 'Cosignatures' ? 'not known' : 'right'}`),
    );
    await says(open, /of the 3 events at 0:/);
    expect([...(await open.problems()), ...(await open.violations())]).toEqual([]);
  });

  it('says "verified" by the keys of the person, and keeps them for the next event', async () => {
    const open = await openEvent();
    await choose(open, OWN, 'from-the-vault.json', signers);
    await says(open, 'Verified by your keys');
    await says(open, /Your file from-the-vault\.json/);
    await open.page.screenshot({
      path: pictureOf('event-own-keys-wide-light'),
      fullPage: true,
    });
    await open.page.getByRole('button', { name: 'After it' }).click();
    await open.page.getByText('"south"').first().waitFor();
    await says(open, 'Verified by your keys');
    await open.page.getByRole('button', { name: "Trust the kernel's keys again" }).click();
    await says(open, CONSISTENT);
    expect([...(await open.problems()), ...(await open.violations())]).toEqual([]);
  });

  it('says what is wrong by the keys of another kernel', async () => {
    const open = await openEvent();
    const file = parseSignersFile(signers);
    const other = new TestSigner('other-key').entry;
    await choose(open, OWN, 'other.json', signersJson([other], file.origin, { shards: 1 }));
    await says(open, 'Not verified');
    await says(open, /This signers\.json has no key .*, so nothing shows who signed/);
    await open.page.screenshot({ path: pictureOf('event-not-verified-wide-light'), fullPage: true });
    expect(await open.violations()).toEqual([]);
  });

  it('says when a file is none of what it should be', async () => {
    const open = await openEvent();
    await choose(open, OWN, 'holiday.json', '{"beach": true}');
    await says(open, 'Nothing was verified');
    await says(open, /It cannot be read as signers\.json/);
    expect(await open.violations()).toEqual([]);
  });

  it('asks for the witnesses of a policy of the person', async () => {
    const open = await openEvent();
    const witness = `w.example.org+00000000+${Buffer.alloc(33).toString('base64')}`;
    await choose(open, POLICY, 'witnesses.policy', `witness w ${witness}\nquorum w\n`);
    await says(open, /It cannot be read as the log policy/);
    await choose(open, POLICY, 'witnesses.policy', 'quorum none\n');
    await says(open, /Witnesses are those of your policy witnesses\.policy/);
    await says(open, CONSISTENT);
  });

  it('finds an event that is not the one that was signed', async () => {
    const open = await openEvent();
    await open.page.route(`**/kernel/audit/${ids[1]}`, async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, body: (await answer.text()).replace('"east"', '"west"') });
    });
    await open.page.reload();
    await says(open, 'Not verified');
    await says(open, /its content has/);
    await open.page.unrouteAll();
  });

  it('starts no worker whose script is not the one that was built', async () => {
    const open = await people.signIn('auditor', '/');
    contexts.push(open);
    await open.page.getByRole('heading', { name: 'Overview' }).waitFor();
    await open.page.route('**/assets/verify-event.worker-*.js', async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, body: `${await answer.text()}\n` });
    });
    await open.page.goto(`/audit/${ids[1]}`);
    await open.page.getByRole('heading', { name: 'door.opened' }).waitFor();
    await says(open, 'This page failed');
    expect(await open.page.getByText(CONSISTENT).count()).toBe(0);
    await open.page.unrouteAll();
  });
});
