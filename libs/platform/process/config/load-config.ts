import { ConfigError, type ConfigProblem } from './config-error';
import {
  acceptsFile,
  memberName,
  type Config,
  type ConfigDefinition,
  type MemberDefinition,
  type MemberDefinitions,
} from './define-config';
import { isForeignVariable } from './foreign-variables';
import { readValueFile, SecretFile } from '../secrets/secret-file';

export type Environment = Readonly<Record<string, string | undefined>>;

const ENVIRONMENTS = ['production', 'development', 'test'];

/**
 * Reads and checks the whole environment of a process, once, at its start.
 *
 * An empty variable counts as not set. A member that is `secret` or `fromFile` may come from the file
 * named by `<NAME>_FILE`; one trailing line break is not part of the value. One that `rotates` and comes from a file is a
 * SecretFile, which has the file's value of the moment.
 *
 * @returns a frozen object; secrets are not enumerable, so that printing, spreading or serialising it
 *   does not carry them along.
 * @throws ConfigError `invalid_configuration` naming every offending variable and what to do.
 */
export function loadConfig<M extends MemberDefinitions>(
  definition: ConfigDefinition<M>,
  env: Environment = process.env,
): Config<M> {
  const problems: ConfigProblem[] = [];
  const config: Record<string, unknown> = {};

  const nodeEnv = env['NODE_ENV'];
  if (nodeEnv !== undefined && nodeEnv !== '' && !ENVIRONMENTS.includes(nodeEnv)) {
    problems.push({
      member: 'NODE_ENV',
      problem: `expected ${ENVIRONMENTS.join(', ')} or nothing, got ${quoted(nodeEnv)}`,
    });
  }
  const isProduction = nodeEnv === 'production';
  Object.defineProperty(config, 'isProduction', { value: isProduction, enumerable: true });

  for (const [variable, member] of Object.entries<MemberDefinition>(definition.members)) {
    const result = readMember(variable, member, env, isProduction);
    if ('problem' in result) {
      problems.push({ member: result.member ?? variable, problem: result.problem });
    } else {
      Object.defineProperty(config, memberName(variable), {
        value: result.value,
        enumerable: member.secret !== true,
      });
    }
  }
  problems.push(...unknownVariables(definition.members, env));
  if (problems.length > 0) throw new ConfigError('invalid_configuration', problems);
  return Object.freeze(config) as Config<M>;
}

type Outcome = { value: unknown } | { problem: string; member?: string };

function readMember(
  variable: string,
  member: MemberDefinition,
  env: Environment,
  isProduction: boolean,
): Outcome {
  const found = readText(variable, member, env);
  if (found !== undefined && 'problem' in found) return found;
  const text = found?.text;

  if (text !== undefined && isProduction && member.inProduction === 'refused') {
    return { problem: `is for development only; remove it, or do not run with NODE_ENV=production` };
  }
  const fallback = isProduction && member.inProduction === 'required' ? undefined : member.default;
  const source = text ?? (fallback === undefined ? undefined : String(fallback));
  const parsed = member.schema.safeParse(source);
  if (parsed.success) {
    const path = member.rotates === true ? found?.path : undefined;
    if (path === undefined) return { value: parsed.data };
    const parse = (changed: string): string | undefined => {
      const { data } = member.schema.safeParse(changed);
      return typeof data === 'string' ? data : undefined;
    };
    return { value: new SecretFile({ setting: variable, path, value: String(parsed.data), parse }) };
  }

  if (source === undefined) {
    const where = acceptsFile(member) ? `${variable}, or ${variable}_FILE to the path of a file` : 'it';
    return { problem: `is missing; set ${where}. ${member.description}` };
  }
  // A schema's own words may quote the value, so a secret gets none of them.
  if (member.secret === true) {
    return { problem: `the value (not shown, it is secret) does not fit. ${member.description}` };
  }
  const complaints = parsed.error.issues.map((issue) =>
    issue.path.length > 0 ? `${issue.message} at ${issue.path.join('.')}` : issue.message,
  );
  return { problem: `${complaints.join('; ')}, got ${quoted(source)}. ${member.description}` };
}

/** The text of a member, from the environment or the file at `path`; undefined when it is not set. */
function readText(
  variable: string,
  member: MemberDefinition,
  env: Environment,
): { text: string; path?: string } | undefined | { problem: string; member?: string } {
  const direct = env[variable] === '' ? undefined : env[variable];
  const fileVariable = `${variable}_FILE`;
  const path = acceptsFile(member) && env[fileVariable] !== '' ? env[fileVariable] : undefined;
  if (path === undefined) return direct === undefined ? undefined : { text: direct };
  if (direct !== undefined) return { problem: `is set twice, also by ${fileVariable}; keep one of the two` };
  const found = readValueFile(path);
  return 'problem' in found ? { ...found, member: fileVariable } : { ...found, path };
}

function unknownVariables(members: MemberDefinitions, env: Environment): ConfigProblem[] {
  const known = new Set<string>();
  for (const [variable, member] of Object.entries<MemberDefinition>(members)) {
    known.add(variable);
    if (acceptsFile(member)) known.add(`${variable}_FILE`);
  }
  const problems: ConfigProblem[] = [];
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith('KERNEL_') || known.has(variable)) continue;
    if (isForeignVariable(variable, value ?? '')) continue;
    const near = nearest(variable, known);
    const hint = near === undefined ? 'remove it' : `remove it, or did you mean ${near}`;
    problems.push({ member: variable, problem: `is not a setting of this process; ${hint}` });
  }
  return problems;
}

/** The known name with the smallest edit distance, when it is close enough to be a typing error. */
function nearest(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = 4;
  for (const candidate of known) {
    const distance = editDistance(name, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substitution, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);
}

/**
 * Does the same for one part of a process's configuration: ignores settings of other parts, and of other programs that
 * share its environment.
 * @param instead variables that the program sets itself, from options on its command line
 * @throws ConfigError `invalid_configuration`
 */
export function loadPart<M extends MemberDefinitions>(
  definition: ConfigDefinition<M>,
  env: Environment = process.env,
  instead: Environment = {},
): Config<M> {
  const names = ['NODE_ENV'];
  for (const [name, member] of Object.entries<MemberDefinition>(definition.members)) {
    names.push(name);
    if (acceptsFile(member)) names.push(`${name}_FILE`);
  }
  const part = Object.fromEntries(names.map((name) => [name, env[name]]));
  return loadConfig(definition, { ...part, ...instead });
}
