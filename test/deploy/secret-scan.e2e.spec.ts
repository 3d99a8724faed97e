import { execFile, execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { userCache } from '#dev/devstack';
import { describeWith, workTree } from '#dev/testing';

/** The same in scripts/install-gitleaks.sh. */
const VERSION = '8.30.1';
const PROGRAM = join(userCache(), `gitleaks-${VERSION}`, 'gitleaks');
const TIMEOUT_MS = 300_000;
/** Of gitleaks: it found something. Any other than 0 is a failure of its own. */
const FOUND = 9;

interface Finding {
  readonly RuleID: string;
  readonly File: string;
  readonly StartLine: number;
  readonly Commit: string;
}

function git(folder: string, ...args: string[]): string {
  // Whatever the machine's own settings are.
  const settings = ['safe.directory=*', 'commit.gpgsign=false', 'core.hooksPath=/dev/null'];
  return execFileSync('git', [...settings.flatMap((setting) => ['-c', setting]), ...args], {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();
}

/** Why the history cannot be looked at, or null. */
function missing(): string | null {
  if (!existsSync(PROGRAM))
    return 'gitleaks is not installed (scripts/install-gitleaks.sh builds it with Go)';
  try {
    const isShallow = git(workTree(), 'rev-parse', '--is-shallow-repository');
    return isShallow === 'false' ? null : 'the clone is shallow: fetch the whole history (GIT_DEPTH: 0)';
  } catch {
    return 'this is no clone with a history';
  }
}

/** What gitleaks finds in the history of a repository's HEAD, by this repository's rules. */
async function scan(folder: string): Promise<Finding[]> {
  const dir = await mkdtemp(join(tmpdir(), 'secret-scan-'));
  const report = join(dir, 'report.json');
  const config = join(workTree(), '.gitleaks.toml');
  try {
    const code = await new Promise<unknown>((resolve) => {
      execFile(
        PROGRAM,
        [
          ...['git', '--no-banner', '--log-level', 'error', '--redact', '--exit-code', String(FOUND)],
          ...['--config', config, '--log-opts', '--full-history HEAD'],
          ...['--report-format', 'json', '--report-path', report, folder],
        ],
        { timeout: TIMEOUT_MS },
        (error) => resolve(error === null ? 0 : error.code),
      );
    });
    const found = JSON.parse(await readFile(report, 'utf8')) as Finding[];
    expect([0, FOUND]).toContain(code);
    expect(found.length > 0).toBe(code === FOUND);
    return found;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

describeWith({ missing: missing() }, 'a search for secrets', () => {
  it(
    'finds none in the whole history',
    async () => {
      const found = await scan(workTree());
      // One that is none gets an entry in .gitleaks.toml with its reason; a real one is revoked, wherever it is now.
      expect(
        found.map(({ RuleID, File, StartLine, Commit }) => `${RuleID}: ${Commit}:${File}:${StartLine}`),
      ).toEqual([]);
    },
    TIMEOUT_MS,
  );

  describe('in a repository that has some', () => {
    let folder: string;
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'planted-secrets-'));
      git(folder, 'init', '--quiet', '--initial-branch', 'main');
    });
    afterEach(() => rm(folder, { recursive: true, force: true }));

    const commit = async (files: Readonly<Record<string, string | null>>): Promise<void> => {
      for (const [name, content] of Object.entries(files)) {
        const file = join(folder, name);
        await mkdir(dirname(file), { recursive: true });
        if (content === null) await rm(file);
        else await writeFile(file, content);
      }
      git(folder, 'add', '--all');
      git(folder, '-c', 'user.name=x', '-c', 'user.email=x@example.com', 'commit', '--quiet', '-m', 'x');
    };
    const pem = (): string =>
      generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() +
      generateKeyPairSync('rsa', { modulusLength: 2_048 })
        .privateKey.export({ type: 'pkcs8', format: 'pem' })
        .toString();
    /**
     * The same in every run: gitleaks passes over a token that has a word of its list in it (`api`, `demo`), and one
     * drawn at random has one now and then. Not in the source, where the scan of this repository would find it.
     */
    const bytes = (name: string): Buffer => createHash('sha256').update(`a planted secret: ${name}`).digest();
    const token = (name: string): string => bytes(name).toString('base64url');
    /** AWS's own form, which has base 32. */
    const accessKey = (): string =>
      `AKIA${[...bytes('access key').subarray(0, 16)].map((byte) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[byte % 32]).join('')}`;

    it('finds each, also one that was taken away again', async () => {
      await commit({
        'key.pem': pem(),
        'settings.sh': `export AWS_ACCESS_KEY_ID=${accessKey()}\n`,
        'client.ts': `const apiKey = '${token('client')}';\n`,
      });
      await commit({ 'key.pem': null, 'settings.sh': null, 'client.ts': null });
      const found = await scan(folder);
      expect(new Set(found.map(({ RuleID }) => RuleID))).toEqual(
        new Set(['private-key', 'aws-access-token', 'generic-api-key']),
      );
    });

    it('finds them among the vectors and pinned digests too', async () => {
      await commit({
        'docs/spec/vectors/key.json': JSON.stringify({ key: pem() }),
        'docs/spec/vectors/other.json': `{ "apiKey": "${token('vector')}" }\n`,
        'test/deploy/kubeparts/definitions.txt': `api_key = "${token('digest')}"\n`,
      });
      const found = await scan(folder);
      expect(new Set(found.map(({ File }) => File))).toEqual(
        new Set([
          'docs/spec/vectors/key.json',
          'docs/spec/vectors/other.json',
          'test/deploy/kubeparts/definitions.txt',
        ]),
      );
    });

    it('finds nothing where there is nothing', async () => {
      await commit({ 'README.md': '# Nothing\n' });
      expect(await scan(folder)).toEqual([]);
    });
  });
});
