import { HttpEdgeError } from '../http-edge.error';
import { describeErrors } from './describe-errors';
import { type Operation } from './operation';

export interface PlacedRoute {
  readonly operation: Operation;
  /** In the template's order, still percent-encoded. */
  readonly pathValues: readonly string[];
}

export type RouteMatch = PlacedRoute | { readonly allowed: readonly string[] } | undefined;

interface Template {
  /** null in the place of a parameter. */
  readonly segments: readonly (string | null)[];
  readonly methods: ReadonlyMap<string, Operation>;
}

/** An answer as a client saw it. */
export interface SeenAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** As text. */
  readonly body: string;
}

const NO_VALUES: readonly string[] = [];

/** The compiled OpenAPI document: finds the operation of a request, and checks answers. */
export class Contract {
  private readonly plain = new Map<string, Map<string, Operation>>();
  private readonly templates: Template[] = [];
  /** HTTP methods that some operation answers. */
  readonly methods: ReadonlySet<string>;

  constructor(readonly operations: readonly Operation[]) {
    this.methods = new Set(
      operations.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method])),
    );
    const byPath = new Map<string, Map<string, Operation>>();
    for (const operation of operations) {
      const methods = byPath.get(operation.path) ?? new Map<string, Operation>();
      byPath.set(operation.path, methods.set(operation.method, operation));
    }
    for (const [path, methods] of byPath) {
      if (!path.includes('{')) this.plain.set(path, methods);
      else {
        const segments = path.split('/').map((segment) => (segment.startsWith('{') ? null : segment));
        this.templates.push({ segments, methods });
      }
    }
  }

  /**
   * Exact match, concrete paths before templates (OpenAPI 3.1 section 4.8.8.2), on the path as sent:
   * no case folding, no trailing slash, no dot segments. Path values are still percent-encoded.
   */
  match(method: string, path: string): RouteMatch {
    // A server of GET also serves HEAD (RFC 9110 section 9.1).
    const wanted = method === 'HEAD' ? 'GET' : method;
    const methods = this.plain.get(path);
    if (methods !== undefined) {
      const operation = methods.get(wanted);
      return operation === undefined ? allowed(methods) : { operation, pathValues: NO_VALUES };
    }
    if (this.templates.length === 0) return undefined;
    const segments = path.split('/');
    for (const template of this.templates) {
      const pathValues = valuesOf(template.segments, segments);
      if (pathValues === undefined) continue;
      const operation = template.methods.get(wanted);
      return operation === undefined ? allowed(template.methods) : { operation, pathValues };
    }
    return undefined;
  }

  operation(id: string): Operation {
    const found = this.operations.find((operation) => operation.id === id);
    if (found === undefined)
      throw new HttpEdgeError('answer_differs', `The document has no operation "${id}".`);
    return found;
  }

  /**
   * Checks, for tests, that an answer is what the document promises for the operation.
   * @throws HttpEdgeError `answer_differs` saying what differs.
   */
  assertAnswer(operationId: string, answer: SeenAnswer): void {
    const differs = (why: string): never => {
      throw new HttpEdgeError('answer_differs', `${operationId} answered ${answer.status}: ${why}.`);
    };
    const { responses } = this.operation(operationId);
    const response = responses.get(String(answer.status)) ?? responses.get('default');
    if (response === undefined) return differs('the document does not know this status');
    for (const name of response.requiredHeaders) {
      if (answer.headers[name] === undefined) differs(`the header ${name} is missing`);
    }
    if (response.content.size === 0) {
      if (answer.body !== '') differs('the document promises no body');
      return;
    }
    const type = String(answer.headers['content-type']).split(';', 1)[0] ?? '';
    const validator = response.content.get(type);
    if (validator === undefined) return differs(`the document does not know the content type "${type}"`);
    if (validator === null) return;
    const validate = validator();
    if (!type.endsWith('json')) {
      if (!validate(answer.body)) differs('its body is not the text that the document describes');
      return;
    }
    const documents = type === 'application/x-ndjson' ? answer.body.split('\n').slice(0, -1) : [answer.body];
    for (const [index, text] of documents.entries()) {
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        return differs(`document ${index + 1} of the body is not JSON`);
      }
      if (validate(value)) continue;
      const { pointer, detail } = describeErrors(validate.errors ?? []);
      differs(`document ${index + 1} of the body, at "${pointer}": ${detail}`);
    }
  }
}

function valuesOf(template: readonly (string | null)[], segments: readonly string[]): string[] | undefined {
  if (template.length !== segments.length) return undefined;
  const values: string[] = [];
  for (const [index, expected] of template.entries()) {
    const segment = segments[index] ?? '';
    if (expected === null) {
      if (segment === '') return undefined;
      values.push(segment);
    } else if (expected !== segment) return undefined;
  }
  return values;
}

function allowed(methods: ReadonlyMap<string, Operation>): { allowed: readonly string[] } {
  return {
    allowed: [...methods.keys()].flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])),
  };
}
