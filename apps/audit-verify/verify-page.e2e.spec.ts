import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { canonicalize, type JsonValue, parseLogPolicy, signersJson, type TrustRoot } from '#evidence';
import {
  BrowserPage,
  describeWithChromium,
  describeWithFirefox,
  type DrivenPage,
  fakesOfManifest,
  fakesOfReceipt,
  fakesOfUpgradeThief,
  FirefoxPage,
  LoggedKernel,
  workTree,
} from '#dev/testing';
import { type Judged, judgeSingle } from './verdict/single-verdict';
import { judgeUpgrade } from './verdict/upgrade-verdict';

const TOOLS = join(workTree(), 'tools');
const VECTORS = join(workTree(), 'docs', 'spec', 'vectors');
/** The virtual machine of a test may be busy with others. */
const PATIENCE_MS = 120_000;
jest.setTimeout(600_000);

/** What forged files are given as: they may look like something else. */
const KINDS = {
  receipt: 'receipt',
  policy: 'policy',
  'event.json': 'event',
  'manifest.json': 'manifest',
  'envelope.json': 'envelope',
  'upgrade.json': 'upgrade',
};

type Files = Readonly<Record<string, Uint8Array | string>>;

/** What the page says in the end. */
interface Shown {
  state: string;
  /** Lines of each verdict, as audit-verify.js prints them. */
  lines: string[];
  /** What is missing, or does not go together. */
  problem: string | null;
}

/** Runs in the page: gives it files as a person does, and waits for what it says. */
const GIVE = `async (files, kinds, said, patience) => {
  const wait = async (what, condition) => {
    const until = Date.now() + patience;
    while (!condition()) {
      if (Date.now() > until) throw new Error('waited for ' + what + ': ' + document.getElementById('state').textContent);
      await new Promise((done) => setTimeout(done, 5));
    }
  };
  const rows = () => document.querySelectorAll('#list tbody tr');
  for (const row of rows()) row.querySelector('button').click();
  for (const [name, value] of Object.entries(said)) document.getElementsByName(name)[0].value = value;
  const given = new DataTransfer();
  for (const [name, base64] of files) given.items.add(new File([Uint8Array.fromBase64(base64)], name));
  const chooser = document.getElementById('files');
  chooser.files = given.files;
  chooser.dispatchEvent(new Event('change'));
  await wait('the files', () => rows().length === files.length);
  for (const row of rows()) {
    const kind = kinds[row.cells[0].textContent];
    if (kind === undefined) continue;
    row.querySelector('select').value = kind;
    row.querySelector('select').dispatchEvent(new Event('change'));
  }
  document.getElementById('verify').click();
  await wait('the verdict', () => !document.getElementById('verify').disabled);
  return {
    state: document.getElementById('state').textContent,
    lines: [...document.querySelectorAll('#results pre')].map((pre) => pre.textContent),
    problem: document.querySelector('.problem')?.textContent ?? null,
  };
}`;

interface Printed {
  code: number;
  stdout: string;
}

/** What the program printed of each case: it is the same for every browser. */
const printedBefore = new Map<string, Promise<Printed>>();

it('asks the browser for no cryptography, of which old ones have less', () => {
  expect(readFileSync(join(TOOLS, 'verify.html'), 'utf8')).not.toMatch(/\bsubtle\b/);
});

describeWithChromium('tools/verify.html, opened from a disk by Chromium', () =>
  verifies((url) => BrowserPage.open(url)),
);
describeWithFirefox('tools/verify.html, opened from a disk by Firefox', () =>
  verifies((url) => FirefoxPage.open(url)),
);

/** The cases, in the browser that opens the page. */
function verifies(open: (url: string) => Promise<DrivenPage>): void {
  let dir: string;
  let page: DrivenPage;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'verify-page-'));
    for (const name of ['verify.html', 'audit-verify.js']) cpSync(join(TOOLS, name), join(dir, name));
    page = await open(pathToFileURL(join(dir, 'verify.html')).href);
    await page.run(`addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
      (window.violations ??= []).push(violatedDirective + ' ' + blockedURI))`);
  });
  afterAll(async () => {
    await page?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  /** @param kinds what a file is, in place of what it looks like */
  function give(files: Files, said: Readonly<Record<string, string>> = {}, kinds = {}): Promise<Shown> {
    const given = Object.entries(files).map(([name, content]) => [
      name,
      Buffer.from(content).toString('base64'),
    ]);
    const asked = { origin: '', shards: '', firstPool: '', heads: '', ...said };
    return page.run(
      `(${GIVE})(${JSON.stringify(given)}, ${JSON.stringify(kinds)}, ${JSON.stringify(asked)}, ${PATIENCE_MS})`,
    );
  }

  /** What the program for a terminal prints of the same files. */
  function printed(name: string, args: readonly string[], files: Files): Promise<Printed> {
    const before = printedBefore.get(name);
    if (before !== undefined) return before;
    for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content);
    const result = new Promise<Printed>((resolve, reject) => {
      execFile(
        process.execPath,
        ['audit-verify.js', '--jobs', '1', ...args],
        { cwd: dir, maxBuffer: 2 ** 26 },
        (error, stdout) => {
          if (error !== null && typeof error.code !== 'number') reject(new Error(error.message));
          else resolve({ code: Number(error?.code ?? 0), stdout: stdout.trimEnd() });
        },
      );
    });
    printedBefore.set(name, result);
    return result;
  }

  function signersFile({ signers: entries, origin, shards, firstPool, log }: TrustRoot): string {
    return signersJson(entries, origin, {
      approverPool: firstPool ?? null,
      ...(shards === undefined ? {} : { shards }),
      ...(log === undefined ? {} : { log }),
    });
  }

  const verdictOf = ({ verified }: { verified: boolean }): RegExp =>
    verified ? /^Verified, after / : /^NOT verified, after /;

  describe('on the chains of the specification', () => {
    interface Case {
      name: string;
      file: string;
      signers?: string;
      from?: number;
      shard?: number;
      origin?: string;
      expectHead?: { shard: number; seq: number; hash: string };
      verified: boolean;
    }
    const vectors = JSON.parse(readFileSync(join(VECTORS, 'chains.json'), 'utf8')) as {
      signers: string;
      cases: Case[];
    };
    // A page verifies whole chains; parts of them are for the program.
    const whole = vectors.cases.filter(({ from, shard }) => from === undefined && shard === undefined);

    it.each(whole)(
      'says what audit-verify.js says: $name',
      async ({ name, file, verified, expectHead, ...one }) => {
        const own = JSON.parse(readFileSync(join(VECTORS, one.signers ?? vectors.signers), 'utf8')) as object;
        const head = expectHead && `${expectHead.shard}:${expectHead.seq}:${expectHead.hash}`;
        const files = {
          'signers.json': JSON.stringify(one.origin === undefined ? own : { ...own, origin: one.origin }),
          'chain.ndjson': readFileSync(join(VECTORS, file)),
        };
        const args = ['--signers', 'signers.json', '--export', 'chain.ndjson'];
        const all = head === undefined ? args : [...args, '--expect-head', head];
        const program = await printed(name, all, files);
        const shown = await give(files, { heads: head ?? '' });
        expect(shown).toEqual({
          state: expect.stringMatching(verdictOf({ verified })) as string,
          lines: [program.stdout],
          problem: null,
        });
        expect(program.code).toBe(verified ? 0 : 1);
      },
    );
  });

  const kernel = new LoggedKernel();

  describe('on one event or one signature', () => {
    const expectAs = async (files: Files, judged: Judged): Promise<void> => {
      expect(await give(files, {}, KINDS)).toEqual({
        state: expect.stringMatching(verdictOf(judged)) as string,
        lines: [judged.lines.join('\n')],
        problem: null,
      });
    };

    it('accepts what is genuine', async () => {
      const trust = kernel.trust();
      const record = { receipt: kernel.log.receipt(20), event: kernel.at(20) };
      const judged = judgeSingle({ record, signature: null }, trust);
      expect(judged.verified).toBe(true);
      const files = {
        'signers.json': signersFile(trust),
        receipt: record.receipt,
        'event.json': record.event,
      };
      await expectAs(files, judged);
    });

    it('refuses every fake of a receipt, in the same words', async () => {
      for (const { event, receipt, trust, policy } of fakesOfReceipt(kernel)) {
        const judged = judgeSingle(
          {
            record: { event, receipt },
            signature: null,
            ...(policy === undefined ? {} : { policy: parseLogPolicy(policy) }),
          },
          trust,
        );
        expect(judged.verified).toBe(false);
        const files = { 'signers.json': signersFile(trust), receipt, 'event.json': event };
        await expectAs(policy === undefined ? files : { ...files, policy }, judged);
      }
    });

    it('refuses every fake of a manifest’s signature, in the same words', async () => {
      for (const { manifest, envelope, record, trust } of fakesOfManifest(kernel)) {
        const bytes = { manifest: Buffer.from(manifest), envelope: Buffer.from(envelope) };
        const judged = judgeSingle({ record, signature: bytes }, trust);
        expect(judged.verified).toBe(false);
        const files = {
          'signers.json': signersFile(trust),
          'manifest.json': manifest,
          'envelope.json': envelope,
        };
        const more = record === null ? {} : { receipt: record.receipt, 'event.json': record.event };
        await expectAs({ ...files, ...more }, judged);
      }
    });
  });

  it('refuses every fake of an upgrade’s evidence, in the same words, and accepts the genuine one', async () => {
    const { kernel: upgraded, trusts, fakes } = fakesOfUpgradeThief();
    const files = [upgraded.evidence(), ...fakes.map(({ file }) => file)].map((file) =>
      canonicalize(file as unknown as JsonValue),
    );
    const trust = trusts[0]?.trust ?? upgraded.trust();
    for (const [i, file] of files.entries()) {
      const judged = judgeUpgrade(Buffer.from(file), trust, { withoutProofs: false, policy: null });
      expect(judged.verified).toBe(i === 0);
      expect(await give({ 'signers.json': signersFile(trust), 'upgrade.json': file }, {}, KINDS)).toEqual({
        state: expect.stringMatching(verdictOf(judged)) as string,
        lines: [judged.lines.join('\n')],
        problem: null,
      });
    }
  });

  it('says what is missing, and what does not go together', async () => {
    const signers = signersFile(kernel.trust());
    const receipt = kernel.log.receipt(20);
    const problem = async (files: Files, said = {}) => (await give(files, said)).problem;
    expect(await problem({ receipt })).toBe('There is no trust root: add the signers.json that you trust.');
    expect(await problem({ 'signers.json': signers })).toMatch(/^Nothing to verify: add /);
    expect(await problem({ 'signers.json': signers, receipt })).toBe(
      'The receipt of an event goes with: one event, which is missing.',
    );
    expect(await problem({ 'signers.json': signers, a: receipt, b: receipt })).toBe(
      'a and b: only one receipt of an event at a time.',
    );
    expect(await problem({ 'signers.json': '{"signers":[]}' }, { origin: 'kernel.example.com/x' })).toMatch(
      /has no keys yet/,
    );
    expect(await problem({ 'signers.json': signers }, { origin: 'no origin' })).toBe(
      'no origin is no origin: it looks like kernel.example.com/prod.',
    );
  });

  it('loads nothing, sends nothing, and breaks no rule of its own policy', async () => {
    const loaded = await page.run<string[]>(
      `performance.getEntriesByType('resource').map(({ name }) => name).filter((name) => !name.startsWith('blob:'))`,
    );
    expect(loaded).toEqual([]);
    expect(await page.run('window.violations ?? []')).toEqual([]);
    const sent = await page.run<string>(`fetch('https://example.com/').then(() => 'sent', () => 'refused')`);
    expect(sent).toBe('refused');
    expect(await page.run<string[]>('window.violations')).toEqual(['connect-src https://example.com/']);
  });
}
