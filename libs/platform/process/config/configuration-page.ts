import { acceptsFile, memberName, type ConfigDefinition, type MemberDefinition } from './define-config';
import { formatOf } from './setting-types';

/**
 * The page docs/configuration.md, made from the definitions of all apps.
 * @param apps app name (its folder in apps/) -> its definition.
 */
export function configurationPage(apps: ReadonlyMap<string, ConfigDefinition>): string {
  const parts = [
    '# Configuration',
    '',
    '<!-- Generated from apps/*/*.config.ts by `npm run docs`. Do not edit by hand. -->',
    '',
    'Every process reads its environment once, at its start. A missing, bad or unknown `KERNEL_` variable stops the',
    'start with one message that names every offending variable. An empty variable counts as not set. Secrets are',
    'never printed, and each may come from a file instead: set `<NAME>_FILE` to its path. Those that rotate are read again',
    'when their file changes ([secrets](secrets.md)).',
    '',
    '`NODE_ENV` is `production`, `development`, `test` or empty. Development conveniences are refused in production.',
    '',
  ];
  for (const [app, definition] of [...apps].sort(([a], [b]) => (a < b ? -1 : 1))) {
    parts.push(`## ${app}`, '');
    const members = Object.entries<MemberDefinition>(definition.members);
    if (members.length === 0) parts.push('No settings.', '');
    for (const [variable, member] of members) parts.push(...memberLines(variable, member));
  }
  return `${parts.join('\n').trimEnd()}\n`;
}

function memberLines(variable: string, member: MemberDefinition): string[] {
  const unit = member.unit === undefined ? '' : `, in ${member.unit}`;
  const lines = [`### ${variable}`, '', member.description, ''];
  lines.push(`- Value: ${formatOf(member.schema)}${unit}`);
  lines.push(`- Default: ${defaultText(member)}`);
  if (member.secret === true)
    lines.push(`- Secret: never printed; \`${variable}_FILE\` names a file instead`);
  else if (acceptsFile(member)) lines.push(`- From a file: \`${variable}_FILE\` names it`);
  if (acceptsFile(member)) {
    const when = member.rotates === true ? 'when the file changes, without a restart' : 'at the start only';
    lines.push(`- The file is read: ${when}`);
  }
  if (member.inProduction === 'refused') lines.push('- Refused in production');
  lines.push(`- Member: \`${memberName(variable)}\``, '');
  return lines;
}

function defaultText(member: MemberDefinition): string {
  if (member.default === undefined) {
    return member.schema.safeParse(undefined).success ? 'none, it may be left out' : 'none, it must be set';
  }
  const value = `\`${String(member.default)}\``;
  return member.inProduction === 'required' ? `${value}; in production none, it must be set` : value;
}
