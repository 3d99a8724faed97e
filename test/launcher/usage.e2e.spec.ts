import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { Launcher } from './launcher.driver';

/** A refusal: this exit code, nothing on stdout, and one line on stderr. */
function refusal(code: number, sentence: string | RegExp) {
  const line =
    sentence instanceof RegExp ? sentence.source : sentence.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return { code, stdout: '', stderr: expect.stringMatching(new RegExp(`^kernel: ${line}\\n$`)) };
}

describe('./kernel refuses in one sentence', () => {
  let launcher: Launcher;
  beforeAll(async () => {
    launcher = await Launcher.create();
    // Builds now, so that the calls below do not report it.
    await launcher.run(['help']);
  });
  afterAll(() => launcher.stop());

  it.each([
    [['frobnicate'], 'There is no command "frobnicate"; ./kernel help lists what there is.'],
    [['upgrade', 'emergency-apply', 'u'], "Required option '--reason <text>' not specified."],
    [['up', '--frobnicate'], "Unknown option '--frobnicate'."],
    [
      ['up', '--stream', 'rabbit'],
      /Option '--stream <kind>' argument 'rabbit' is invalid\. Allowed choices are postgres, kafka\./,
    ],
    [
      ['up', '--archive', 'tape'],
      /Option '--archive <kind>' argument 'tape' is invalid\. Allowed choices are fs, s3\./,
    ],
    [
      ['up', '--signer', 'paper'],
      /Option '--signer <kind>' argument 'paper' is invalid\. .*software, pkcs11, vault-transit\./,
    ],
    [
      ['up', '--port-base', '70000'],
      /Option '--port-base <n>' argument '70000' is invalid\. It is a port from 1 to \d+\./,
    ],
    [['sign'], "Missing required argument 'file'."],
    [['audit', 'export', '--out', 'a', '--dir', 'b'], '--out and --dir cannot be used together.'],
    [['agent', 'spawn', '--division', 'd'], /Name the template: .*\./],
    [['allocation', 'grant', '0', '--agent', 'a', '--reason', 'r'], /An amount is greater than zero, .*\./],
    [['bench', 'frobnicate'], /There is no benchmark "frobnicate"; there are: .*\./],
  ])('%j, with exit code 2', async (args, sentence) => {
    const state = ['sign', 'audit', 'bench', 'upgrade', 'agent', 'allocation'].includes(args[0] ?? '')
      ? []
      : ['--state', launcher.state];
    const result = await launcher.run(args[0] === 'up' ? [...args, ...state] : args);
    expect(result).toEqual(refusal(2, sentence));
  });

  it('shows what there is when nothing is asked for', async () => {
    const result = await launcher.run([]);
    expect(result.code).toBe(2);
    const verbs = [
      'up',
      'down',
      'status',
      'sign',
      'audit',
      'keys',
      'upgrade',
      'division',
      'agent',
      'allocation',
      'reason',
      'mode',
      'replay',
      'test',
      'bench',
      'completion',
    ];
    for (const verb of verbs) {
      expect(result.stderr).toContain(`\n  ${verb} `);
    }
    expect((await launcher.run(['help', 'up'])).stdout).toContain('--port-base <n>');
    expect((await launcher.run(['audit', 'verify', '--help'])).stdout).toContain('--signers <file>');
  });

  it('runs no development kernel in production', async () => {
    const env = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: launcher.scratch, NODE_ENV: 'production' };
    const node = { ...env, PATH: `${join(process.execPath, '..')}:${env.PATH}` };
    const result = await launcher.run(['up', '--state', launcher.state], { env: node });
    expect(result).toEqual(
      refusal(2, /`up` runs development conveniences .* NODE_ENV=production refuses; .*/),
    );
    await expect(stat(launcher.state)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('says that nothing runs where nothing runs', async () => {
    expect(await launcher.on('status')).toMatchObject({
      code: 1,
      stdout: `Not running: there is no kernel in ${launcher.state}.\n`,
    });
    expect(await launcher.on('down')).toMatchObject({
      code: 0,
      stdout: `Nothing to stop: there is no kernel in ${launcher.state}.\n`,
    });
    expect(await launcher.on('keys list')).toEqual(refusal(1, /There is no kernel in .*; start one with .*/));
  });

  it('takes no folder that is not its own', async () => {
    const foreign = join(launcher.scratch, 'photos');
    await mkdir(foreign);
    await writeFile(join(foreign, 'cat.jpg'), 'cat');
    expect(await launcher.run(['up', '--state', foreign])).toEqual(
      refusal(1, /.*photos is not empty and holds no kernel state .*; choose another folder with --state\./),
    );
    expect(await readdir(foreign)).toEqual(['cat.jpg']);
    expect(await launcher.run(['up', '--state', join(foreign, 'cat.jpg')])).toEqual(
      refusal(1, /.*cat\.jpg is not a folder; choose another one with --state\./),
    );
    const damaged = join(launcher.scratch, 'damaged');
    await mkdir(damaged);
    await writeFile(join(damaged, 'state.json'), '{ "format": 1, "ori');
    expect(await launcher.run(['up', '--detach', '--state', damaged])).toEqual(
      refusal(1, /.*state\.json is damaged \(.*\); restore it, or choose another folder with --state\./),
    );
    expect(await readdir(damaged)).toEqual(['state.json']);
  });

  it('names the folder it may not write to', async () => {
    // Not even root may make a folder there.
    expect(await launcher.run(['up', '--state', '/proc/kernel-state'])).toEqual(
      refusal(1, /No permission to write to \/proc \(E[A-Z]+\); choose another folder with --state\./),
    );
  });

  it('names the port that is taken and leaves nothing running', async () => {
    const server: Server = createServer();
    const port = launcher.portBase + 5;
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    try {
      const result = await launcher.up();
      expect(result.code).toBe(1);
      expect(result.stdout).toBe('');
      expect(result.stderr).toBe(
        `kernel: Port ${port} (signing proxy) is already in use; stop what listens there or choose other ports with --port-base.\n`,
      );
      expect(await launcher.on('status')).toMatchObject({
        code: 1,
        stdout: expect.stringContaining('Not running.'),
      });
      expect(await readdir(launcher.state)).toEqual(['logs', 'state.json']);
      expect(await readFile(join(launcher.state, 'logs', 'supervisor.log'), 'utf8')).toContain(
        'already in use',
      );
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });
});
