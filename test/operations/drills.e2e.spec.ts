import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { workTree } from '#dev/testing';
import { Launcher } from '../launcher/launcher.driver';
import { until } from '../faults/until';

interface Recorded {
  readonly drill: string;
  readonly verdict: string;
  readonly rtoSeconds: number | null;
  readonly lostEvents: number | null;
  readonly acknowledgedEvents: number;
  readonly seconds: number;
  readonly steps: readonly { what: string; outcome: string; shown?: string }[];
}

/** Each practises a runbook; `restore` has a file of its own. */
const DRILLS = [
  { name: 'kms', runbook: 'kms-unavailable' },
  { name: 'audit', runbook: 'audit-append-failures' },
  { name: 'compromise', runbook: 'key-compromise' },
  { name: 'multisig', runbook: 'multisig-failure' },
];

describe('./kernel drill', () => {
  let launcher: Launcher;
  const done: Recorded[] = [];
  beforeAll(async () => {
    launcher = await Launcher.create();
    await launcher.upReady();
  }, 180_000);
  afterAll(() => launcher.stop(), 60_000);
  afterAll(() => {
    const rows = done.map(({ drill, verdict, rtoSeconds, lostEvents, acknowledgedEvents, seconds }) =>
      [
        drill.padEnd(11),
        verdict,
        `recovered in ${rtoSeconds} s`,
        `${lostEvents} of ${acknowledgedEvents} lost`,
        `${seconds} s`,
      ].join('  '),
    );
    process.stderr.write(`drills\n${rows.map((row) => `  ${row}\n`).join('')}`);
  });

  it.each(DRILLS)(
    '$name follows its runbook, loses nothing, and is recorded in the chain',
    async ({ name, runbook }) => {
      const { code, stdout, stderr } = await launcher.on(`drill ${name}`, '--json');
      if (code !== 0) throw new Error(`the drill ended with ${code}:\n${stderr}${stdout}`);
      expect(stderr).toContain('Recorded as event ');
      const result = JSON.parse(stdout) as Recorded;
      done.push(result);
      expect(result).toMatchObject({ drill: name, verdict: 'passed', lostEvents: 0 });
      expect(result.acknowledgedEvents).toBeGreaterThan(3);
      expect(result.rtoSeconds).toBeGreaterThan(0);
      expect(result.steps.every(({ outcome }) => outcome === 'done')).toBe(true);

      const [, id = ''] = /Recorded as event (\S+)\.$/m.exec(stderr) ?? [];
      await until('the record is in the index', async () => {
        const { stdout: found } = await launcher.on('audit find', '--stream', `drill/${name}`, '--json');
        return found.includes(id);
      });
      const { stdout: found } = await launcher.on('audit find', '--stream', `drill/${name}`, '--json');
      const [event] = found
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { id: string; type: string; payload: Recorded });
      expect(event).toMatchObject({
        id,
        type: 'drill.completed',
        payload: { drill: name, verdict: 'passed' },
      });

      const words = readFileSync(join(workTree(), 'runbooks', `${runbook}.md`), 'utf8');
      expect(words).toContain(`./kernel drill ${name}`);
    },
    300_000,
  );

  it('refuses to begin where its record could not be written', async () => {
    const elsewhere = join(launcher.scratch, 'nothing');
    const { code, stdout, stderr } = await launcher.run(['drill', 'kms', '--state', elsewhere]);
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/There is no kernel in .*; .* without one: --no-record\.\n$/s),
    });
  });

  it('is in the metrics of the kernel that recorded it', async () => {
    const management = `http://127.0.0.1:${launcher.portBase + 4}/metrics`;
    // It looks when it starts, and every five minutes.
    await launcher.on('down');
    await launcher.upReady();
    const metric = (name: string) =>
      new RegExp(`^kernel_drill_last_completed_timestamp_seconds\\{drill="${name}"\\} (\\d+)`, 'm');
    await until('the drills are in the metrics', async () => {
      const text = await (await fetch(management)).text();
      return DRILLS.every(({ name }) => metric(name).test(text));
    });
    const text = await (await fetch(management)).text();
    expect(text).not.toMatch(metric('restore'));
  }, 180_000);
});
