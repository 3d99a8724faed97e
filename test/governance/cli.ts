import { type CertificateFiles } from '#dev/devstack';
import { type TestStack } from '#dev/testing';
import { runCli } from '../../apps/cli/program';

/** Output of ./kernel for these arguments; in this process, because a new one for each call takes a second. */
export async function cli(args: readonly string[]): Promise<string> {
  let printed = '';
  const print = (text: unknown) => {
    printed += String(text);
    return true;
  };
  const outputs = [process.stdout, process.stderr].map((stream) =>
    jest.spyOn(stream, 'write').mockImplementation(print),
  );
  try {
    await runCli(args);
    return printed;
  } finally {
    for (const output of outputs) output.mockRestore();
  }
}

/** The options of a person without a state folder: which kernel, and their certificate. */
export function connectionTo(stack: TestStack, { cert, key }: CertificateFiles, kernel = 0): string[] {
  const url = stack.kernels[kernel]?.apiUrl ?? '';
  return ['--url', url, '--ca', stack.identities.caCert, '--cert', cert, '--key', key];
}
