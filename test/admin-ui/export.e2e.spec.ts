import { readFile } from 'node:fs/promises';
import { describeWithChromium, type OpenPage, PeopleAtBrowsers, withStack } from '#dev/testing';
import { until } from '../faults/until';

/** What the filters find, as a file that somebody saves. */
describeWithChromium('export of events', () => {
  const stack = withStack({ workers: ['outbox-relay', 'indexer'], people: true, restart: false });
  let people: PeopleAtBrowsers;
  let open: OpenPage;
  const EVENTS = 620;

  const append = async (type: string, count: number): Promise<{ position: string }> => {
    const events = Array.from({ length: count }, (_, n) => ({
      type,
      stream: 'cell/all',
      payload: { n, note: n === 7 ? '=HYPERLINK("https://example.com")' : 'plain', '10': 1, '9': 2 },
    }));
    const { status, json } = await stack().client('OPERATOR').post('/kernel/audit', { events });
    expect(status).toBe(201);
    return json as { position: string };
  };

  beforeAll(async () => {
    await append('cell.written', EVENTS);
    for (let n = 0; n < 20; n += 1) await append('cell.filled', 1_000);
    const { position } = await append('cell.filled', 1);
    // The index has it.
    const headers = { 'kernel-min-position': position };
    await until('the index is there', async () => {
      const found = await stack().client('AUDITOR').get('/kernel/audit?limit=1', { headers });
      return found.status === 200;
    });
    people = await PeopleAtBrowsers.start(stack().web?.origin ?? '');
    open = await people.signIn('auditor', '/audit?type=cell.written');
  }, 120_000);
  afterAll(() => people.close());

  const save = async (label: string): Promise<{ name: string; text: string }> => {
    await open.page.getByText(label).click();
    const [file] = await Promise.all([
      open.page.waitForEvent('download'),
      open.page.getByRole('button', { name: 'Save', exact: true }).click(),
    ]);
    return { name: file.suggestedFilename(), text: await readFile(await file.path(), 'utf8') };
  };

  it('as NDJSON has the canonical bytes of every event, over all pages', async () => {
    const { name, text } = await save('NDJSON, for verifiers');
    expect(name).toMatch(/^events-\d{4}-\d\d-\d\d\.ndjson$/);
    const lines = text.trimEnd().split('\n');
    expect(lines).toHaveLength(EVENTS);
    const { text: all } = await stack().client('AUDITOR').get('/kernel/audit/export');
    expect(lines).toEqual(all.split('\n').filter((line) => line.includes('"type":"cell.written"')));
    await open.page.getByText(`Saved: ${EVENTS} events, all that match.`).waitFor();
  });

  it('as CSV has a line for each, and no formula', async () => {
    const { name, text } = await save('CSV, for a spreadsheet');
    expect(name).toMatch(/^events-\d{4}-\d\d-\d\d\.csv$/);
    const lines = text.trimEnd().split('\r\n');
    expect(lines).toHaveLength(EVENTS + 1);
    expect(lines[0]).toMatch(/^time,id,shard,seq,type,/);
    for (const line of lines) expect(line).not.toMatch(/(^|,)"?[=+@]/);
    expect(text).toContain('""note"":""=HYPERLINK(');
  });

  it('says when it is cut, and how to get all', async () => {
    await open.page.goto('/audit?type=cell.filled');
    const { name, text } = await save('NDJSON, for verifiers');
    expect(name).toMatch(/-first-20000\.ndjson$/);
    expect(text.trimEnd().split('\n')).toHaveLength(20_000);
    await open.page.getByText(/Cut: the file has the first 20,000 events, and there are more/).waitFor();
    const line = './kernel audit find --type cell.filled --limit 1000000 --json > events.ndjson';
    await open.page.getByText(line).waitFor();
    expect(await open.violations()).toEqual([]);
    expect(await open.problems()).toEqual([]);
  });
});
