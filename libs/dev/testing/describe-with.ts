import { defineConfig, flag, loadConfig, text } from '#platform/process';

export interface RealPart {
  /** Why it is not available here; null when it is. */
  readonly missing: string | null;
  /** Another one is named, which this suite cannot use: then not even CI has to run it. */
  readonly isNamed?: boolean;
}

/** Jest's own, which a test of this file replaces. */
interface Suites {
  describe: ((name: string, suite: () => void) => void) & { skip: (name: string, suite: () => void) => void };
  it: (name: string, test: () => void) => void;
}

const settings = defineConfig({
  CI: { schema: text().optional(), description: 'Set by CI systems.' },
  NIGHTLY: { schema: flag(), description: 'Suites that take many minutes, too.', default: false },
});

function isCi(): boolean {
  const { ci } = loadConfig(settings);
  return ci === 'true' || ci === '1';
}

/** What a suite needs that takes too long for every run: it runs with NIGHTLY=true, and is skipped with that reason otherwise. */
export function nightly(missing: string | null): RealPart {
  return loadConfig(settings).nightly ? { missing } : { missing: 'it runs with NIGHTLY=true', isNamed: true };
}

/**
 * A suite that needs a real server or device. Where there is none the suite is skipped with the reason in its name; with
 * CI=true that is a failure, so that no run passes for want of what it should have tested.
 */
export function describeWith(
  { missing, isNamed = false }: RealPart,
  name: string,
  suite: () => void,
  mustRun = isCi(),
  { describe: suiteOf, it: testOf }: Suites = { describe, it },
): void {
  if (missing === null) {
    suiteOf(name, suite);
  } else if (mustRun && !isNamed) {
    suiteOf(name, () => {
      testOf('has what it needs', () => {
        throw new Error(`CI has to run this suite, but ${missing}`);
      });
    });
  } else {
    suiteOf.skip(`${name} (skipped: ${missing})`, suite);
  }
}
