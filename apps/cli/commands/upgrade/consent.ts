import { createInterface } from 'node:readline/promises';
import { CliError } from '../../cli.error';

/**
 * Asks a person, and returns when they agree.
 * @throws CliError `failed` for any other answer, and for none: the end of the input (Ctrl-D) leaves a question open
 */
export async function consent(
  question: string,
  input: NodeJS.ReadableStream,
  output: NodeJS.WritableStream,
  refused = 'Nothing was signed.',
): Promise<void> {
  const prompt = createInterface({ input, output });
  const ended = new AbortController();
  prompt.once('close', () => ended.abort());
  try {
    const answer = await prompt.question(question, { signal: ended.signal }).catch((error: unknown) => {
      if (ended.signal.aborted) return '';
      throw error;
    });
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliError('failed', refused);
  } finally {
    prompt.close();
  }
}
