import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workTree } from '#dev/testing';
import { S3_SERVER_VERSION, s3ServerProgram } from './s3-program';

describe('the S3 server program', () => {
  it('is looked for where the script puts it, in the version that the script builds', () => {
    const script = readFileSync(join(workTree(), 'scripts', 'install-s3-server.sh'), 'utf8');
    expect(/^version=(.+)$/m.exec(script)?.[1]).toBe(S3_SERVER_VERSION);
    expect(script).toContain('/user-cache.sh"\ntarget=$cache/versitygw-$version');
    expect(s3ServerProgram()).toMatch(
      new RegExp(`/illuvrse-kernel/versitygw-${S3_SERVER_VERSION.replaceAll('.', '\\.')}/versitygw$`),
    );
  });
});
