import { type ValidateFunction } from 'ajv/dist/2020';
import { type RoutePolicy } from '../access/policy.decorator';

export type ParameterPlace = 'path' | 'query' | 'header';

/** One parameter: taken from text, converted to the type its schema names, then validated. */
export interface Parameter {
  readonly name: string;
  readonly in: ParameterPlace;
  readonly required: boolean;
  readonly type: 'string' | 'integer' | 'boolean';
  readonly default: unknown;
  readonly validate: ValidateFunction;
}

export interface RequestBody {
  readonly required: boolean;
  /** Deepest nesting that strict parsing lets through (`x-max-depth`). */
  readonly maxDepth: number;
  /** Most values in a body (`x-max-values`). */
  readonly maxValues: number;
  /** Largest body (`x-max-bytes`), where that is less than the app accepts. */
  readonly maxBytes: number;
  readonly validate: ValidateFunction;
}

export interface Response {
  /** Lower-case names of required headers. */
  readonly requiredHeaders: readonly string[];
  /**
   * Media type -> what checks a body of it (each line, for NDJSON), compiled when it is first asked for; null where the
   * document gives no schema.
   */
  readonly content: ReadonlyMap<string, (() => ValidateFunction) | null>;
}

/** One operation of the OpenAPI document, ready for use. */
export interface Operation {
  readonly id: string;
  /** Upper case. */
  readonly method: string;
  /** Template: `/kernel/audit/{id}`. */
  readonly path: string;
  readonly policy: RoutePolicy;
  /** Whether it changes anything that a mode may forbid (`x-writes`; by default every method except GET does). */
  readonly writes: boolean;
  readonly pathParameters: readonly Parameter[];
  readonly queryParameters: ReadonlyMap<string, Parameter>;
  readonly headerParameters: readonly Parameter[];
  readonly body: RequestBody | undefined;
  /** Responses by status, or `default`. */
  readonly responses: ReadonlyMap<string, Response>;
}
