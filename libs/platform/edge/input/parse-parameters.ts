import { type IncomingHttpHeaders } from 'node:http';
import { type Operation, type Parameter } from '../contract/operation';
import { describeErrors } from '../contract/describe-errors';
import { HttpEdgeError } from '../http-edge.error';

/** Request headers that have rules of their own and are never refused. */
const LENIENT_HEADERS = new Set(['x-request-id', 'prefer']);

function invalid(parameter: Parameter | { name: string; in: string }, detail: string): HttpEdgeError {
  return new HttpEdgeError(
    'invalid_request',
    `The ${parameter.in} parameter "${parameter.name}": ${detail}`,
    {
      parameter: parameter.name,
    },
  );
}

/**
 * Decodes path values before Express does.
 * @throws HttpEdgeError `invalid_request` with the parameter's name.
 */
export function decodePath(operation: Operation, values: readonly string[]): readonly string[] {
  if (values.length === 0) return values;
  return operation.pathParameters.map((parameter, index) => decoded(parameter, values[index] ?? ''));
}

/**
 * @param values decoded, in the order of the template.
 * @throws HttpEdgeError `invalid_request` with the parameter's name.
 */
export function parsePath(operation: Operation, values: readonly string[]): Record<string, unknown> {
  const parsed: Record<string, unknown> = {};
  for (const [index, parameter] of operation.pathParameters.entries()) {
    parsed[parameter.name] = converted(parameter, values[index] ?? '');
  }
  return parsed;
}

/** The query as the document describes it: known names only, each once, typed, defaults filled in. */
export function parseQuery(operation: Operation, search: string): Record<string, unknown> {
  const parsed: Record<string, unknown> = {};
  if (search !== '') {
    for (const pair of search.split('&')) {
      const cut = pair.indexOf('=');
      const place = { in: 'query', name: cut < 0 ? pair : pair.slice(0, cut) };
      const name = decoded(place, place.name.replaceAll('+', ' '));
      const parameter = operation.queryParameters.get(name);
      if (parameter === undefined) throw invalid({ ...place, name }, 'is not known here; remove it.');
      if (Object.hasOwn(parsed, name)) throw invalid(parameter, 'is there twice; send it once.');
      const text = cut < 0 ? '' : pair.slice(cut + 1);
      parsed[name] = converted(parameter, decoded(parameter, text.replaceAll('+', ' ')));
    }
  }
  for (const parameter of operation.queryParameters.values()) {
    if (Object.hasOwn(parsed, parameter.name)) continue;
    if (parameter.required) throw invalid(parameter, 'is missing; add it.');
    if (parameter.default !== undefined) parsed[parameter.name] = parameter.default;
  }
  return parsed;
}

/** Checks the headers that the operation describes. */
export function checkHeaders(operation: Operation, headers: IncomingHttpHeaders): void {
  for (const parameter of operation.headerParameters) {
    const value = headers[parameter.name];
    if (value === undefined) {
      if (parameter.required) throw invalid(parameter, 'is missing; add it.');
    } else if (!LENIENT_HEADERS.has(parameter.name)) {
      // Node joins a repeated header with ", " and returns lists for a few: neither fits a single value.
      converted(parameter, String(value));
    }
  }
}

function decoded(parameter: { name: string; in: string }, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid(parameter, 'is not valid percent-encoding.');
  }
}

function converted(parameter: Parameter, text: string): unknown {
  const value = typed(parameter, text);
  if (value === undefined) throw invalid(parameter, `Must be of type ${parameter.type}.`);
  if (!parameter.validate(value))
    throw invalid(parameter, describeErrors(parameter.validate.errors ?? []).detail);
  return value;
}

function typed(parameter: Parameter, text: string): unknown {
  switch (parameter.type) {
    case 'string':
      return text;
    case 'integer':
      // 16 digits reach past 2^53 - 1, which the schema's own bounds then refuse.
      return /^(0|-?[1-9][0-9]{0,15})$/.test(text) ? Number(text) : undefined;
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : undefined;
  }
}
