import { type z } from 'zod';
import { type Secret } from '../secrets/secret-file';
import { ConfigError, type ConfigProblem } from './config-error';

/** One setting: everything that the program, the operator and docs/configuration.md need to know of it. */
export interface MemberDefinition {
  /** Takes the text of the variable; the schemas of setting-types.ts say what they expect. */
  readonly schema: z.ZodType<unknown, string | undefined>;
  /** One or two plain sentences for the person who sets it. */
  readonly description: string;
  /** Default as written in the environment; goes through the schema like any other value. */
  readonly default?: string | number | boolean;
  /** Unit of the value, e.g. `ms`, `bytes`. For the documentation only. */
  readonly unit?: string;
  /** Never printed; may come from a file, whose path is in `<NAME>_FILE`. */
  readonly secret?: boolean;
  /** May come from a file, whose path is in `<NAME>_FILE`, without being a secret. */
  readonly fromFile?: boolean;
  /** Its file is read again while the process runs; for texts only. The value is then a {@link Secret}. */
  readonly rotates?: boolean;
  /** `required`: the default is a development convenience and does not count when NODE_ENV=production.
   *  `refused`: setting it at all is a mistake when NODE_ENV=production. */
  readonly inProduction?: 'required' | 'refused';
}

export type MemberDefinitions = Readonly<Record<string, MemberDefinition>>;

type Camel<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : S;
/** `KERNEL_BODY_LIMIT` is the member `bodyLimit`, `DATABASE_URL` is `databaseUrl`. */
export type MemberName<K extends string> = K extends `KERNEL_${infer Rest}`
  ? Camel<Lowercase<Rest>>
  : Camel<Lowercase<K>>;

type Rotating<V> = V extends string ? Secret : V;
type Value<D extends MemberDefinition> = D extends { readonly rotates: true }
  ? Rotating<z.output<D['schema']>>
  : z.output<D['schema']>;

export interface EnvironmentFacts {
  /** NODE_ENV=production. */
  readonly isProduction: boolean;
}

/** The loaded configuration: frozen, camelCase, secrets not enumerable. */
export type Config<M extends MemberDefinitions> = {
  readonly [K in keyof M & string as MemberName<K>]: Value<M[K]>;
} & EnvironmentFacts;

export interface ConfigDefinition<M extends MemberDefinitions = MemberDefinitions> {
  readonly members: M;
}

/** The configuration type of a definition: `type KernelConfig = ConfigOf<typeof kernelConfig>`. */
export type ConfigOf<D> = D extends ConfigDefinition<infer M> ? Config<M> : never;

export function memberName(variable: string): string {
  return variable
    .replace(/^KERNEL_/, '')
    .toLowerCase()
    .replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

export function acceptsFile(member: MemberDefinition): boolean {
  return member.secret === true || member.fromFile === true;
}

/**
 * Declares the settings of one app; each app keeps its declaration in `apps/<app>/<app>.config.ts`.
 * @throws ConfigError `invalid_definition` when the declaration contradicts itself.
 */
export function defineConfig<const M extends MemberDefinitions>(members: M): ConfigDefinition<M> {
  const problems: ConfigProblem[] = [];
  const taken = new Map<string, string>([['isProduction', 'NODE_ENV']]);
  for (const [variable, member] of Object.entries<MemberDefinition>(members)) {
    const wrong = definitionProblem(variable, member, members, taken);
    if (wrong !== undefined) problems.push({ member: variable, problem: wrong });
    taken.set(memberName(variable), variable);
  }
  if (problems.length > 0) throw new ConfigError('invalid_definition', problems);
  return Object.freeze({ members });
}

function definitionProblem(
  variable: string,
  member: MemberDefinition,
  members: MemberDefinitions,
  taken: ReadonlyMap<string, string>,
): string | undefined {
  if (!/^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/.test(variable)) return 'is not an UPPER_SNAKE_CASE name';
  if (/(_SERVICE_HOST|_SERVICE_PORT)$/.test(variable) || variable === 'KERNEL_PORT') {
    return 'is a name that Kubernetes sets for a Service called "kernel"; choose another';
  }
  if (member.description.trim() === '') return 'has no description';
  if (member.secret === true && member.default !== undefined && member.inProduction === undefined) {
    return "has a default although it is a secret; mark the default as development's own with inProduction: 'required'";
  }
  if (acceptsFile(member) && `${variable}_FILE` in members) return `clashes with ${variable}_FILE`;
  if (member.rotates === true && !acceptsFile(member)) return 'rotates, and cannot come from a file';
  const other = taken.get(memberName(variable));
  if (other !== undefined) return `has the same member name as ${other}`;
  return undefined;
}
