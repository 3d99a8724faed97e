import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Command } from 'commander';
import { createProgram } from './program';

/** The commands that do something, by their names from the top. */
function leaves(command: Command, path: string[] = []): [string, Command][] {
  const groups = command.commands.flatMap((child) => leaves(child, [...path, child.name()]));
  return command.commands.length === 0 ? [[path.join(' '), command]] : groups;
}

const has = (command: Command, ...options: string[]) =>
  options.every((option) => command.options.some(({ long }) => long === option));

/** What cannot be taken back, or reaches everyone. */
const DANGEROUS = [
  'agent retire',
  'audit hold',
  'audit repair',
  'keys compromise',
  'keys restore-window',
  'keys retire',
  'keys rotate',
  'mode',
  'partitions detach',
  'upgrade approve',
  'upgrade emergency-apply',
  'upgrade ratify',
  'upgrade reject',
  'upgrade revoke-key',
  'upgrade withdraw',
  'webhook remove',
  'webhook rotate-secret',
];

describe('every command', () => {
  const all = leaves(createProgram());

  it('can answer in JSON, and says what it does', () => {
    expect(all.length).toBeGreaterThan(50);
    for (const [name, command] of all) {
      expect([
        name,
        has(command, '--json'),
        command.description() !== '' || command.summary() !== '',
      ]).toEqual([name, true, true]);
    }
  });

  it('that is dangerous asks, and can be looked at first', () => {
    const asking = all.filter(([, command]) => has(command, '--yes') || has(command, '--dry-run'));
    expect(asking.map(([name]) => name).sort()).toEqual(DANGEROUS);
    for (const [, command] of asking) expect(has(command, '--yes', '--dry-run')).toBe(true);
  });
});

/** Whether a shell is here to try its script. */
const shell = (name: string) => spawnSync(name, ['-c', ':']).status === 0;

describe('the completion script', () => {
  let dir: string;
  let script: Record<'bash' | 'zsh', string>;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'completion-'));
    script = { bash: join(dir, 'bash'), zsh: join(dir, 'zsh') };
    for (const [name, file] of Object.entries(script)) {
      const written: string[] = [];
      const write = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
        written.push(String(text));
        return true;
      });
      try {
        await createProgram().parseAsync(['completion', name], { from: 'user' });
      } finally {
        write.mockRestore();
      }
      writeFileSync(file, written.join(''));
    }
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  function completed(...words: string[]): string[] {
    const ask =
      '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kernel_complete; printf "%s\\n" "${COMPREPLY[@]}"';
    const { stdout, stderr } = spawnSync('bash', ['-c', ask, 'bash', script.bash, ...words], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    return stdout.split('\n').filter((line) => line !== '');
  }

  it('completes commands, options and choices in bash', () => {
    expect(completed('./kernel', 'up')).toEqual(['up', 'upgrade']);
    expect(completed('./kernel', 'upgrade', 'a')).toEqual(['approve', 'apply', 'approvers']);
    expect(completed('./kernel', 'upgrade', 'apply', 'upg-42', '--art')).toEqual(['--artifact']);
    expect(completed('./kernel', 'up', '--signer', '')).toEqual(['software', 'pkcs11', 'vault-transit']);
    expect(completed('./kernel', 'up', '--signer', 'pkcs11', '--det')).toEqual(['--detach']);
    expect(completed('./kernel', 'mode', 'read')).toEqual(['read-only']);
    expect(completed('./kernel', 'help', 'wit')).toEqual(['witness']);
    expect(completed('./kernel', 'sign', './man')).toEqual([]);
    // The option of the process that `up --detach` starts is nobody's to type.
    expect(completed('./kernel', 'up', '--super')).toEqual([]);
  });

  const inZsh = shell('zsh') ? it : it.skip;

  inZsh('completes the same in zsh', () => {
    // Stands for the completion system, which needs a terminal: it takes the words and prints them.
    const ask =
      'compdef() { :; }; compadd() { shift; print -l -- $@; }; . $1; shift; words=($@); CURRENT=$#; _kernel_complete';
    const { stdout, stderr } = spawnSync(
      'zsh',
      ['-fc', ask, 'zsh', script.zsh, './kernel', 'up', '--signer', ''],
      { encoding: 'utf8' },
    );
    expect(stderr).toBe('');
    expect(stdout).toBe('software\npkcs11\nvault-transit\n');
  });
});
