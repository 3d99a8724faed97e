import { CodedError } from '#evidence';

/** Problem with one setting, and its remedy. Never contains the value of a secret. */
export interface ConfigProblem {
  /** Name of the variable as it is, or should be, in the environment. */
  readonly member: string;
  readonly problem: string;
}

/** `invalid_definition` is a mistake in the program, `invalid_configuration` one in the environment. */
export type ConfigErrorCode = 'invalid_configuration' | 'invalid_definition';

/** One error for a whole configuration: the operator sees every offending member at once. */
export class ConfigError extends CodedError<ConfigErrorCode> {
  declare readonly details: { readonly problems: readonly ConfigProblem[] };

  constructor(code: ConfigErrorCode, problems: readonly ConfigProblem[]) {
    const count = problems.length === 1 ? 'one setting needs' : `${problems.length} settings need`;
    const lines = problems.map((p) => `  ${p.member}: ${p.problem}`);
    super(
      code,
      `The configuration cannot be used, ${count} attention (docs/configuration.md):\n${lines.join('\n')}`,
      { problems },
    );
  }
}
