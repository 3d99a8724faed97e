import { existsSync } from 'node:fs';
import { type SignerChoice, softHsmModule } from '#dev/devstack';
import { startStack, type TestStack } from '#dev/testing';
import { loadOn, type LoadReport, type LoadTarget } from './load/load';

/** Long enough for V8 to have compiled the hot code on both sides. */
const FIRST_WARM_UP_MS = 15_000;

/** The real processes as `./kernel up` starts them: validation, roles, logs and metrics on, fsync on. */
export async function startBenchStack(
  signer: SignerChoice,
  workers: NonNullable<Parameters<typeof startStack>[0]>['workers'] = [],
  variables: Readonly<Record<string, string>> = {},
): Promise<TestStack> {
  return startStack({
    signer,
    workers,
    variables,
    logLevel: 'info',
    // The same as libs/dev/devstack sets for `./kernel up`.
    postgresSettings: { shared_buffers: '256MB' },
  });
}

/** A client of the API, of every kernel in turn, whose caller may do everything that is measured. */
export function operatorOf(stack: TestStack): LoadTarget {
  return {
    url: stack.kernels.map(({ apiUrl }) => apiUrl),
    caCert: stack.identities.caCert,
    caller: stack.identities.callers.OPERATOR,
  };
}

export async function warmUp(
  target: LoadTarget,
  workload: Parameters<typeof loadOn>[1]['workload'],
  concurrency = 50,
): Promise<void> {
  assertNoErrors(await loadOn(target, { concurrency, warmUpMs: FIRST_WARM_UP_MS, measureMs: 500, workload }));
}

/** Refuses a figure with errors in it and names the first error, so that its cause can be found. */
export function assertNoErrors(report: LoadReport): LoadReport {
  if (report.errors > 0)
    throw new Error(`${report.errors} requests failed, the first with: ${report.firstError}`);
  return report;
}

/** Null when SoftHSM can be used, otherwise the reason why not. */
export function softHsmMissing(): string | null {
  try {
    return existsSync(softHsmModule()) ? null : 'SoftHSM is not installed';
  } catch (error) {
    return (error as Error).message;
  }
}

export function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}

export function percent(part: number, whole: number): string {
  return `${Math.round((part / whole) * 100)} %`;
}
