import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { workTree } from '#dev/testing';
import { finished, Launcher } from '../launcher/launcher.driver';

/** The drill of the runbook, in a folder that is removed after the test, and on ports that are free here. */
async function drillOfRunbook({ portBase, scratch }: Launcher): Promise<string> {
  const text = await readFile(join(workTree(), 'runbooks', 'restore-drill.md'), 'utf8');
  const [, drill] = /^```sh\n(.*?)^```$/ms.exec(text) ?? [];
  if (drill === undefined) throw new Error('the runbook has no drill');
  return drill
    .replace('$(mktemp -d)', `$(mktemp -d -p '${scratch}')`)
    .replaceAll('./kernel up ', `./kernel up --port-base ${portBase} `);
}

describe('runbooks/restore-drill.md', () => {
  let launcher: Launcher;
  beforeAll(async () => {
    launcher = await Launcher.create();
  });
  afterAll(() => launcher.stop(), 60_000);

  it('puts a backup back, sees nothing written to it, and loses nothing', async () => {
    const drill = spawn('sh', ['-c', await drillOfRunbook(launcher)], { cwd: workTree(), stdio: 'pipe' });
    const { code, stdout, stderr } = await finished(drill);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout).toMatch(
      /^safe-mode since .* by kernel: The database ends at 0:6, but signed events build on 0:8/m,
    );
    expect(stdout).toContain('./kernel replay --from archive --to store');
    expect(stdout).toMatch(/^0 +0:8/m);
    expect(stderr).toContain('(safe_mode,');
    expect(stdout).toMatch(/^Audit chain verified/m);
  }, 300_000);
});
