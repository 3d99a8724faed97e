import { withStack } from '#dev/testing';
import { cli, connectionTo } from './cli';

const ESC = '\u001b';
/** Goes up, clears the line, and says something else; the last turns the rest of the line around. */
const FORGED = `mallory${ESC}[1A${ESC}[2K\r\n  quorum    5 of 5\u009b2J\u202e`;
/** Everything but printable text and the ends of this program's own lines. */
const OBEYED = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

describe('what others wrote, as ./kernel shows it', () => {
  const stack = withStack();
  const run = async (...args: string[]): Promise<string> => {
    const caller = stack().identities.callers.SUPERADMIN;
    const output = await cli([...args, ...connectionTo(stack(), caller)]);
    expect(output).not.toMatch(OBEYED);
    return output;
  };

  beforeAll(async () => {
    const admin = stack().client('SUPERADMIN');
    const manifest = {
      upgradeId: 'forged',
      type: 'code',
      target: FORGED,
      rationale: FORGED,
      [FORGED]: { [FORGED]: [FORGED] },
    };
    const answers = [
      await admin.post('/kernel/upgrade', { manifest, submittedBy: FORGED }),
      await admin.post('/kernel/upgrade/forged/withdraw', { reason: FORGED }),
      await admin.post('/kernel/division', { id: 'forged', name: FORGED, budget: 10, metadata: manifest }),
      await admin.post('/kernel/allocate', {
        divisionId: 'forged',
        delta: 1,
        reason: FORGED,
        requestedBy: FORGED,
      }),
      await admin.post('/kernel/audit/legal-hold', {
        shard: 0,
        fromSeq: 1,
        toSeq: 1,
        hold: true,
        reason: FORGED,
      }),
      await admin.post('/kernel/admin/mode', { mode: 'read-only', reason: FORGED }),
      await admin.post('/kernel/audit', { type: 'door.opened', stream: 'door/\u202e1', payload: { FORGED } }),
      await admin.post('/kernel/admin/mode', { mode: 'normal', reason: FORGED }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([201, 200, 200, 200, 201, 200, 503, 200]);
  });

  it('an upgrade has its own lines and no others', async () => {
    const output = await run('upgrade', 'show', 'forged');
    expect(output).toContain('mallory\\u001b[1A\\u001b[2K\\u000d\\u000a  quorum    5 of 5\\u009b2J\\u202e');
    expect(output.match(/^ {2}quorum/gm)).toHaveLength(1);
  });

  it.each([
    ['upgrade', 'list'],
    ['division', 'list'],
    ['division', 'show', 'forged'],
    ['allocation', 'list', 'forged'],
    ['audit', 'hold', 'list'],
    ['mode'],
    ['upgrade', 'approvers'],
    ['keys'],
    ['division', 'show', FORGED],
    ['upgrade', 'withdraw', 'forged', '--reason', FORGED],
    [FORGED],
  ])('%s %s %s', async (...args) => {
    expect(await run(...args)).not.toMatch(/^ {2}quorum {4}5 of 5/m);
  });

  it.each([
    ['upgrade', 'show', 'forged'],
    ['division', 'show', 'forged'],
    ['upgrade', 'list'],
  ])('%s %s %s --json is the same document', async (...args) => {
    const path = args[2] === undefined ? '/kernel/upgrade?limit=20' : `/kernel/${args[0]}/${args[2]}`;
    const { json } = await stack().client('SUPERADMIN').get(path);
    expect(JSON.parse(await run(...args, '--json'))).toEqual(json);
  });
});
