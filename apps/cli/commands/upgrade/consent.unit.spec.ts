import { PassThrough } from 'node:stream';
import { consent } from './consent';

async function asked(typed: string): Promise<string> {
  const input = new PassThrough();
  const output = new PassThrough();
  const done = consent('Sign? ', input, output);
  input.end(typed);
  return done.then(
    () => 'agreed',
    (error: Error) => error.message,
  );
}

describe('consent to a signature', () => {
  it.each(['y\n', 'yes\n', ' Y \n'])('is %j', async (typed) => {
    expect(await asked(typed)).toBe('agreed');
  });

  it.each(['n\n', '\n', 'yesterday\n', ''])('is not %j', async (typed) => {
    expect(await asked(typed)).toBe('Nothing was signed.');
  });
});
