import { type RuleGroup } from './rule-groups';

const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

/**
 * The same rules for a stack that lives for minutes: every range and every `for` is divided by `factor`, and is not shorter
 * than `leastS`, which has to be several scrapes. Bounds, names and labels stay as they are.
 */
export function shortened(
  groups: readonly RuleGroup[],
  factor: number,
  leastS: number,
): readonly RuleGroup[] {
  const shorter = (duration: string): string => {
    const [, count, unit] = /^(\d+)([smhd])$/.exec(duration) ?? [];
    if (count === undefined || unit === undefined) throw new Error(`${duration} is no duration of a rule.`);
    const seconds = (Number(count) * SECONDS[unit as keyof typeof SECONDS]) / factor;
    return `${Math.max(leastS, Math.round(seconds))}s`;
  };
  return groups.map(({ name, rules }) => ({
    name,
    rules: rules.map((rule) => ({
      ...rule,
      expr: rule.expr
        .replaceAll(/\[(\d+[smhd])\]/g, (_, range: string) => `[${shorter(range)}]`)
        .replaceAll(/ offset (\d+[smhd])/g, (_, offset: string) => ` offset ${shorter(offset)}`),
      ...(rule.for === undefined ? {} : { for: shorter(rule.for) }),
    })),
  }));
}
