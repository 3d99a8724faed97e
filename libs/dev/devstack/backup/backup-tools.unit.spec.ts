import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workTree } from '#dev/testing';
import { BARMAN_VERSION, backupToolsFolder, CHECKSUMS_VERSION } from './backup-tools';

describe('the backup tools', () => {
  const script = readFileSync(join(workTree(), 'scripts', 'install-backup-tools.sh'), 'utf8');
  const requirements = readFileSync(join(workTree(), 'scripts', 'backup-tools', 'requirements.txt'), 'utf8');

  it('are looked for where the script puts them, in the versions that the script fetches', () => {
    expect(/^barman=(.+)$/m.exec(script)?.[1]).toBe(BARMAN_VERSION);
    expect(/^postgres=(.+)$/m.exec(script)?.[1]).toBe(CHECKSUMS_VERSION);
    expect(requirements).toContain(`\nbarman==${BARMAN_VERSION} `);
    expect(script).toContain('/user-cache.sh"');
    expect(script).toContain('target=$cache/backup-tools-$barman-$postgres');
    expect(backupToolsFolder().endsWith(`/backup-tools-${BARMAN_VERSION}-${CHECKSUMS_VERSION}`)).toBe(true);
  });

  it('are taken only as the files that were looked at', () => {
    const packages = requirements.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(packages.length).toBeGreaterThan(5);
    for (const line of packages) expect(line).toMatch(/^[\w-]+==[\w.]+ --hash=sha256:[0-9a-f]{64}$/);
    expect(script.match(/--require-hashes/g)).toHaveLength(2);
  });
});
