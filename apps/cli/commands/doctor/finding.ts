/** `unknown` is what could not be looked at: it may be as well as not. */
export type Severity = 'critical' | 'warning' | 'unknown';

/**
 * What others depend on. A finding that says of one of them that it does not work explains the findings which say that they
 * suffer from it; `process:NAME` stands for what one process does.
 */
export type Cause =
  | 'disk'
  | 'kafka'
  | 'openbao'
  | 'postgres'
  | 'archive'
  | 'signing'
  | 'schema'
  | 'certificates'
  | 'clock'
  | 'mode'
  | 'integrity'
  | 'audit'
  | 'replacement'
  | `process:${string}`
  | `port:${string}`;

export interface Finding {
  /** Stable name, for scripts and alerts. */
  readonly code: string;
  readonly severity: Severity;
  /** What is wrong, in one sentence. */
  readonly what: string;
  /** The process, file, address, role or shard. */
  readonly where: string;
  /** What to do, with commands that exist. */
  readonly action: string;
  /** A page below runbooks/. */
  readonly runbook?: string;
  /** What this explains in others. */
  readonly explains?: readonly Cause[];
  /** What would explain this. */
  readonly effectOf?: readonly Cause[];
}

/** A finding with what it explains: said once, at the cause. */
export interface Diagnosis extends Finding {
  readonly effects: readonly { readonly code: string; readonly what: string; readonly where: string }[];
}

const SEVERITIES: readonly Severity[] = ['critical', 'warning', 'unknown'];
/** Kept of the effects of one cause: of more, the first tell as much. */
const MAX_EFFECTS = 20;
const MAX_FINDINGS = 200;

/** Findings by severity, causes with their effects. Equal input gives equal output. */
export function diagnose(findings: readonly Finding[]): Diagnosis[] {
  const all = distinct(findings).slice(0, MAX_FINDINGS);
  const parents = parentsOf(all);
  const rootOf = (finding: Finding): Finding => {
    const above = parents.get(finding);
    return above === undefined ? finding : rootOf(above);
  };
  return all
    .filter((finding) => !parents.has(finding))
    .map((finding) => {
      const under = all.filter((other) => other !== finding && rootOf(other) === finding);
      const severity = SEVERITIES.find((one) => [finding, ...under].some((f) => f.severity === one));
      return {
        ...finding,
        // What explains something critical is critical itself.
        severity: severity ?? finding.severity,
        effects: under.slice(0, MAX_EFFECTS).map(({ code, what, where }) => ({ code, what, where })),
      };
    })
    .sort(
      (a, b) =>
        SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) ||
        b.effects.length - a.effects.length ||
        compare(a.code, b.code) ||
        compare(a.where, b.where),
    );
}

/** The nearest explanation of each finding that has one. No circles: the first finding of one stands alone. */
function parentsOf(all: readonly Finding[]): Map<Finding, Finding> {
  const parents = new Map<Finding, Finding>();
  const isBelow = (finding: Finding, other: Finding): boolean => {
    for (let at: Finding | undefined = finding; at !== undefined; at = parents.get(at)) {
      if (at === other) return true;
    }
    return false;
  };
  // The last first, so that of a circle the first one is left.
  for (const finding of [...all].reverse()) {
    for (const cause of finding.effectOf ?? []) {
      const above = all.find((other) => other.explains?.includes(cause) === true && !isBelow(other, finding));
      if (above === undefined) continue;
      parents.set(finding, above);
      break;
    }
  }
  return parents;
}

function distinct(findings: readonly Finding[]): Finding[] {
  const seen = new Set<string>();
  return findings.filter(({ code, where, what }) => {
    const key = JSON.stringify([code, where, what]);
    return seen.has(key) ? false : seen.add(key);
  });
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
