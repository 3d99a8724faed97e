import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ruleGroups } from '#dev/monitoring';
import { workTree } from '#dev/testing';
import { Launcher } from '../../launcher/launcher.driver';

const FOLDER = join(workTree(), 'runbooks');
const HEADINGS = ['Meaning', 'Impact', 'Diagnosis', 'Mitigation', 'Drill'];
const BASE = 'https://runbooks.example.com';

const files = readdirSync(FOLDER).filter((file) => file.endsWith('.md'));
const pages = new Map(files.map((file) => [file, readFileSync(join(FOLDER, file), 'utf8')]));
const alerts = ruleGroups({ namespace: 'x', runbooks: BASE })
  .flatMap(({ rules }) => rules)
  .filter(({ alert }) => alert !== undefined);

/** Anchor of a heading, as GitLab and GitHub make it. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^a-z0-9 _-]/g, '')
    .replaceAll(' ', '-');

const anchorsOf = (text: string): string[] =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));

/** Commands in code, each as its words: `./kernel mode normal --reason TEXT`. */
function commandsIn(text: string): string[] {
  const inText = [...text.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
  const inBlocks = [...text.matchAll(/^ *```\w*\n([\s\S]*?)^ *```$/gm)]
    .map(([, block = '']) => block.replaceAll('\\\n', ' '))
    .flatMap((block) => block.split('\n'));
  return [...inText, ...inBlocks].flatMap((line) => /\.\/kernel [^|;>)&]*/.exec(line)?.[0].trim() ?? []);
}

describe('runbooks', () => {
  it('are where the alerts say, one for each', () => {
    const named = alerts.map(({ annotations }) => annotations?.['runbook_url']?.replace(`${BASE}/`, ''));
    expect(named.length).toBeGreaterThan(50);
    expect(files).toEqual(expect.arrayContaining(named));
    // None for an alert that there is no more.
    expect(files.filter((file) => file.startsWith('Kernel')).sort()).toEqual([...new Set(named)].sort());
  });

  it.each([...new Set(alerts.map(({ alert = '' }) => alert))])('%s: says what on-call needs', (alert) => {
    const text = pages.get(`${alert}.md`) ?? '';
    expect(text.split('\n')[0]).toBe(`# ${alert}`);
    expect([...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading)).toEqual(HEADINGS);
    for (const part of text.split(/^## .+$/m).slice(1)) expect(part.trim().length).toBeGreaterThan(5);
  });

  it('link to pages and headings that there are', () => {
    const links = [...pages].flatMap(([file, text]) =>
      [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => ({ file, link })),
    );
    expect(links.length).toBeGreaterThan(80);
    const broken = links.filter(({ file, link }) => {
      if (/^https?:/.test(link)) return false;
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? join(FOLDER, file) : join(dirname(join(FOLDER, file)), path);
      if (!existsSync(target)) return true;
      return anchor !== undefined && !anchorsOf(readFileSync(target, 'utf8')).includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  it('name tests that there are', () => {
    const named = [...pages.values()].flatMap(
      (text) => text.match(/\btest\/[\w/-]+\.(?:unit|int|e2e)\.spec\.ts/g) ?? [],
    );
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((file) => !existsSync(join(workTree(), file)))).toEqual([]);
  });

  it('name metrics that there are', () => {
    const known = readFileSync(join(workTree(), 'docs/metrics.md'), 'utf8');
    const rules = JSON.stringify(alerts);
    const named = [...pages.values()].flatMap(
      (text) =>
        text.match(
          /\b(?:kernel|audit|archiver?|auditor|log_publisher|signing_proxy|witness|http|tls)(?:_[a-z]+){2,}\b/g,
        ) ?? [],
    );
    expect(named.length).toBeGreaterThan(30);
    const isKnown = (name: string): boolean =>
      known.includes(`\`${name.replace(/_(bucket|count|sum)$/, '')}\``) || rules.includes(`${name}{`);
    expect([...new Set(named.filter((name) => !isKnown(name)))]).toEqual([]);
  });

  describe('give commands that there are', () => {
    let launcher: Launcher;
    const helps = new Map<string, Promise<string>>();
    beforeAll(async () => {
      launcher = await Launcher.create();
      await launcher.run(['help']);
    }, 120_000);
    afterAll(() => launcher.stop());

    const helpOf = (verbs: readonly string[]): Promise<string> => {
      const name = verbs.join(' ');
      const known = helps.get(name);
      if (known !== undefined) return known;
      const asked = launcher.run([...verbs, '--help']).then(({ code, stdout }) => {
        if (code !== 0) throw new Error(`./kernel ${name} --help ended with ${code}.`);
        return stdout;
      });
      helps.set(name, asked);
      return asked;
    };
    const hasCommand = (help: string, word: string): boolean =>
      new RegExp(`^  ${word}( |$)`, 'm').test(help.split(/^Commands:$/m)[1] ?? '');

    it('with options that they have', async () => {
      const commands = [...new Set([...pages.values()].flatMap(commandsIn))];
      expect(commands.length).toBeGreaterThan(40);
      const wrong: string[] = [];
      for (const command of commands) {
        const words = command.split(/\s+/).slice(1);
        const verbs: string[] = [];
        let help = await helpOf([]);
        for (const word of words) {
          if (!/^[a-z][a-z-]*$/.test(word) || !hasCommand(help, word)) break;
          verbs.push(word);
          help = await helpOf(verbs);
        }
        const options = words.filter((word) => word.startsWith('--') && word !== '--help');
        // A group of commands does nothing by itself.
        const next = words[verbs.length];
        const isGroup = /^Commands:$/m.test(help) && next !== undefined && /^[a-z]/.test(next);
        const unknown = options.filter(
          (option) => !new RegExp(`(^|[\\s,])${option.replace(/[.,]$/, '')}\\b`, 'm').test(help),
        );
        if (verbs.length === 0 && !words.includes('--help')) wrong.push(command);
        else if (isGroup || unknown.length > 0) wrong.push(`${command}: ${unknown.join(', ') || next}`);
      }
      expect(wrong).toEqual([]);
    }, 300_000);
  });
});
