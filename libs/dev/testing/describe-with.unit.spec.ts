import { describeWith, type RealPart } from './describe-with';

const SUITE = 'with a broker';
const MISSING = 'Kafka is not installed (scripts/install-kafka.sh fetches it)';

/** What Jest would have been told, and what its tests throw. */
function told(part: RealPart, ci: boolean) {
  const suites: string[] = [];
  const failures: string[] = [];
  let ran = false;
  const plain = (name: string, suite: () => void): void => {
    suites.push(name);
    suite();
  };
  const skip = (name: string): void => void suites.push(`skip: ${name}`);
  const it = (name: string, test: () => void): void => {
    try {
      test();
    } catch (error) {
      failures.push(`${name}: ${(error as Error).message}`);
    }
  };
  describeWith(part, SUITE, () => (ran = true), ci, { describe: Object.assign(plain, { skip }), it });
  return { suites, failures, ran };
}

describe('a suite that needs a real part', () => {
  it.each([false, true])('runs where there is one (CI: %s)', (ci) => {
    expect(told({ missing: null }, ci)).toEqual({ suites: [SUITE], failures: [], ran: true });
  });

  it('is skipped by name and reason where there is none', () => {
    expect(told({ missing: MISSING }, false)).toEqual({
      suites: [`skip: ${SUITE} (skipped: ${MISSING})`],
      failures: [],
      ran: false,
    });
  });

  it('fails in CI, and says why', () => {
    expect(told({ missing: MISSING }, true)).toEqual({
      suites: [SUITE],
      failures: [`has what it needs: CI has to run this suite, but ${MISSING}`],
      ran: false,
    });
  });

  it('may be skipped in CI where a part of somebody else is named that a test must not kill', () => {
    expect(told({ missing: MISSING, isNamed: true }, true).suites).toEqual([
      `skip: ${SUITE} (skipped: ${MISSING})`,
    ]);
  });
});
