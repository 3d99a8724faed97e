import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020';
import { fullFormats } from 'ajv-formats/dist/formats';
import { parseDocument } from 'yaml';
import { isInstant, parseStrictJson } from '#evidence';
import { MATRIX } from '../access/matrix';
import { HttpEdgeError } from '../http-edge.error';
import { Contract } from './contract';
import { unboundedPart } from './request-bounds';
import { type Operation, type Parameter, type RequestBody, type Response } from './operation';

type Node = Readonly<Record<string, unknown>>;

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];
const COMPONENT_SCHEMA = '#/components/schemas/';
/** Id of the document's component schemas in the compiler; the rest of the document is not a schema. */
const SCHEMAS_ID = 'schemas';
/**
 * Most values in a body where the document does not set it (`x-max-values`): the event loop reads some 3 million a second.
 */
const DEFAULT_MAX_VALUES = 200_000;
/** Maximum nesting of a body where the document does not set it (`x-max-depth`): that of accepted JSON. */
const DEFAULT_MAX_DEPTH = 64;
const JSON_TYPE = 'application/json';
const ACTIONS: ReadonlySet<string> = new Set(Object.keys(MATRIX));

/**
 * Reads and compiles the OpenAPI 3.1 document that every request is checked against. Refuses everything that the edge
 * would not enforce to the letter, so that the document never promises more than the server keeps. What it promises of
 * answers only tests check, so their schemas are compiled when they are first used: they are most of a document.
 *
 * @param path a document in YAML; in JSON when it ends with .json, which takes a tenth of the time
 * @param policies what an operation may ask of its caller, besides `public`; default: the actions of the access matrix
 * @throws HttpEdgeError `invalid_contract` saying where in the document and what is wrong.
 */
export function loadContract(path: string, policies: ReadonlySet<string> = ACTIONS): Contract {
  const document = readContractDocument(path);
  try {
    return compileContract(document, policies);
  } catch (cause) {
    throw invalid(path, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/**
 * The document as it is, unchecked.
 * @throws HttpEdgeError `invalid_contract`
 */
export function readContractDocument(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw invalid(
      path,
      `it cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown error'})`,
      cause,
    );
  }
  try {
    return path.endsWith('.json') ? parseStrictJson(text) : parseYaml(text);
  } catch (cause) {
    throw invalid(path, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function parseYaml(text: string): unknown {
  const document = parseDocument(text, { uniqueKeys: true, strict: true });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) throw problem;
  return document.toJS({ maxAliasCount: 0 }) as unknown;
}

function invalid(path: string, why: string, cause: unknown): HttpEdgeError {
  return new HttpEdgeError(
    'invalid_contract',
    `The OpenAPI document "${path}" cannot be used: ${why}. Take the one of this release (the kernel's is named by OPENAPI_PATH).`,
    { path },
    { cause },
  );
}

function compileContract(document: unknown, policies: ReadonlySet<string>): Contract {
  if (!isNode(document)) fail('', 'is not an object');
  if (typeof document['openapi'] !== 'string' || !/^3\.1\.\d+$/.test(document['openapi'])) {
    fail('/openapi', 'must say 3.1.x');
  }
  const info = document['info'];
  if (!isNode(info) || typeof info['title'] !== 'string' || typeof info['version'] !== 'string') {
    fail('/info', 'must have a title and a version');
  }
  const paths = document['paths'];
  if (!isNode(paths) || Object.keys(paths).length === 0) fail('/paths', 'has no path');

  const compiler = new Compiler(document, policies);
  const operations: Operation[] = [];
  for (const [path, item] of Object.entries(paths)) {
    operations.push(...compiler.pathItem(path, item, `/paths/${escaped(path)}`));
  }
  const ids = operations.map((operation) => operation.id);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice !== undefined) fail('/paths', `uses the operationId "${twice}" twice`);
  return new Contract(operations);
}

class Compiler {
  private readonly ajv: Ajv2020;
  /**
   * Validators by the text of their schema: every operation answers with the same problem, and compiling is most of a
   * start.
   */
  private readonly compiled = new Map<string, ValidateFunction>();

  constructor(
    private readonly document: Node,
    private readonly policies: ReadonlySet<string>,
  ) {
    this.ajv = new Ajv2020({ strict: true, allowUnionTypes: true, verbose: true, validateSchema: false });
    this.ajv.addFormat('uuid', fullFormats.uuid);
    // A leap second, and years that only an offset leads to, are no values of a database's types.
    this.ajv.addFormat('date-time', isInstant);
    // For client generators (OpenAPI Format Registry): any bytes.
    this.ajv.addFormat('binary', true);
    const components = document['components'];
    const schemas = isNode(components) ? (components['schemas'] ?? {}) : {};
    if (!isNode(schemas)) fail('/components/schemas', 'is not an object');
    this.ajv.addSchema({ $id: SCHEMAS_ID, $defs: withAbsoluteReferences(schemas) });
  }

  pathItem(path: string, item: unknown, at: string): Operation[] {
    if (!/^\/([a-zA-Z0-9._-]+|\{[a-zA-Z]+\})(\/([a-zA-Z0-9._-]+|\{[a-zA-Z]+\}))*$/.test(path)) {
      fail(at, 'is not a path of plain segments and {names}');
    }
    if (!isNode(item)) fail(at, 'is not an object');
    const operations: Operation[] = [];
    for (const [member, value] of Object.entries(item)) {
      if (member === 'parameters' || member === 'summary' || member === 'description') continue;
      if (!METHODS.includes(member)) fail(`${at}/${escaped(member)}`, 'is not an HTTP method');
      if (!isNode(value)) fail(`${at}/${member}`, 'is not an object');
      operations.push(this.operation(path, member, item, value, at));
    }
    return operations;
  }

  private operation(path: string, method: string, item: Node, node: Node, itemAt: string): Operation {
    const at = `${itemAt}/${method}`;
    const id = node['operationId'];
    if (typeof id !== 'string' || id === '') fail(at, 'has no operationId');
    const policy = node['x-policy'];
    if (typeof policy !== 'string' || (policy !== 'public' && !this.policies.has(policy))) {
      fail(`${at}/x-policy`, 'must be "public" or an action that the access rules know');
    }
    const writes = node['x-writes'];
    if (writes !== undefined && typeof writes !== 'boolean') fail(`${at}/x-writes`, 'must be true or false');
    const freshSignIn = node['x-fresh-sign-in'] ?? false;
    if (typeof freshSignIn !== 'boolean') fail(`${at}/x-fresh-sign-in`, 'must be true or false');
    const parameters = [
      ...this.parameters(item['parameters'], `${itemAt}/parameters`),
      ...this.parameters(node['parameters'], `${at}/parameters`),
    ];
    const names = [...path.matchAll(/\{([a-zA-Z]+)\}/g)].map((match) => match[1]);
    const pathParameters = names.map((name) => {
      const found = parameters.find((p) => p.in === 'path' && p.name === name);
      return found ?? fail(at, `does not describe the path parameter {${name}}`);
    });
    const stray = parameters.find((p) => p.in === 'path' && !names.includes(p.name));
    if (stray !== undefined)
      fail(at, `describes a path parameter "${stray.name}" that the path does not have`);
    return Object.freeze({
      id,
      method: method.toUpperCase(),
      path,
      policy,
      writes: writes ?? method !== 'get',
      freshSignIn,
      pathParameters,
      queryParameters: new Map(parameters.filter((p) => p.in === 'query').map((p) => [p.name, p])),
      headerParameters: parameters.filter((p) => p.in === 'header'),
      body: this.requestBody(node['requestBody'], `${at}/requestBody`),
      responses: this.responses(node['responses'], `${at}/responses`),
    });
  }

  private parameters(list: unknown, at: string): Parameter[] {
    if (list === undefined) return [];
    if (!Array.isArray(list)) fail(at, 'is not a list');
    return list.map((entry, index) => {
      const [node, place] = this.resolved(entry, `${at}/${index}`);
      const { name, in: where, required, schema } = node;
      if (typeof name !== 'string' || !isNode(schema)) fail(place, 'needs a name and a schema');
      if (where !== 'path' && where !== 'query' && where !== 'header')
        fail(place, 'must be in path, query or header');
      const [plain] = this.resolved(schema, `${place}/schema`);
      this.assertBounded(schema, `${place}/schema`);
      const type = plain['type'];
      if (type !== 'string' && type !== 'integer' && type !== 'boolean') {
        fail(`${place}/schema`, 'must be of type string, integer or boolean');
      }
      return Object.freeze({
        name: where === 'header' ? name.toLowerCase() : name,
        in: where,
        required: required === true,
        type,
        default: plain['default'],
        validate: this.compile(schema, `${place}/schema`),
      });
    });
  }

  private requestBody(entry: unknown, at: string): RequestBody | undefined {
    if (entry === undefined) return undefined;
    const [node, place] = this.resolved(entry, at);
    const content = node['content'];
    if (!isNode(content) || Object.keys(content).join() !== JSON_TYPE || !isNode(content[JSON_TYPE])) {
      fail(`${place}/content`, `must be ${JSON_TYPE} alone`);
    }
    this.assertBounded(content[JSON_TYPE]['schema'], `${place}/content/${escaped(JSON_TYPE)}/schema`);
    return Object.freeze({
      required: node['required'] === true,
      maxDepth: count(node['x-max-depth'] ?? DEFAULT_MAX_DEPTH, `${place}/x-max-depth`),
      maxValues: count(node['x-max-values'] ?? DEFAULT_MAX_VALUES, `${place}/x-max-values`),
      maxBytes: count(node['x-max-bytes'] ?? Number.MAX_SAFE_INTEGER, `${place}/x-max-bytes`),
      validate: this.compile(content[JSON_TYPE]['schema'], `${place}/content/${escaped(JSON_TYPE)}/schema`),
    });
  }

  private responses(entry: unknown, at: string): Map<string, Response> {
    if (!isNode(entry) || Object.keys(entry).length === 0) fail(at, 'has no response');
    const responses = new Map<string, Response>();
    for (const [status, value] of Object.entries(entry)) {
      if (!/^([1-5]\d\d|default)$/.test(status)) fail(`${at}/${status}`, 'is not a status');
      const [node, place] = this.resolved(value, `${at}/${status}`);
      if (typeof node['description'] !== 'string') fail(place, 'has no description');
      responses.set(status, this.response(node, place));
    }
    return responses;
  }

  private response(node: Node, at: string): Response {
    const content = new Map<string, (() => ValidateFunction) | null>();
    const media = node['content'] ?? {};
    if (!isNode(media)) fail(`${at}/content`, 'is not an object');
    for (const [type, value] of Object.entries(media)) {
      const place = `${at}/content/${escaped(type)}`;
      if (!isNode(value)) fail(place, 'is not an object');
      const { schema } = value;
      if (schema !== undefined && !isNode(schema)) fail(`${place}/schema`, 'is not an object');
      content.set(type, schema === undefined ? null : () => this.compile(schema, `${place}/schema`));
    }
    const requiredHeaders: string[] = [];
    const headers = node['headers'] ?? {};
    if (!isNode(headers)) fail(`${at}/headers`, 'is not an object');
    for (const [name, value] of Object.entries(headers)) {
      const [header] = this.resolved(value, `${at}/headers/${escaped(name)}`);
      if (header['required'] === true) requiredHeaders.push(name.toLowerCase());
    }
    return Object.freeze({ requiredHeaders, content });
  }

  private assertBounded(schema: unknown, at: string): void {
    const offence = unboundedPart(schema, at, (value, place) => this.resolved(value, place));
    if (offence !== null) fail(offence.at, offence.why);
  }

  /** Follows local references, and returns where the target is. */
  private resolved(value: unknown, at: string): [Node, string] {
    if (!isNode(value)) fail(at, 'is not an object');
    const reference = value['$ref'];
    if (reference === undefined) return [value, at];
    if (typeof reference !== 'string' || !reference.startsWith('#/')) fail(at, 'refers to another document');
    const target = reference.slice(1);
    let node: unknown = this.document;
    for (const segment of target.slice(1).split('/')) {
      node = isNode(node) ? node[segment.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined;
    }
    if (node === undefined) fail(at, `refers to ${reference}, which is not there`);
    return this.resolved(node, target);
  }

  private compile(schema: unknown, at: string): ValidateFunction {
    if (!isNode(schema)) fail(at, 'is not an object');
    const text = JSON.stringify(schema);
    const before = this.compiled.get(text);
    if (before !== undefined) return before;
    try {
      const validate = this.ajv.compile(withAbsoluteReferences(schema) as Node);
      this.compiled.set(text, validate);
      return validate;
    } catch (error) {
      return fail(at, (error as Error).message);
    }
  }
}

/** `#/components/schemas/X` means nothing within a schema that is compiled alone. */
function withAbsoluteReferences(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withAbsoluteReferences);
  if (!isNode(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => {
      if (name === '$ref' && typeof member === 'string' && member.startsWith(COMPONENT_SCHEMA)) {
        return [name, `${SCHEMAS_ID}#/$defs/${member.slice(COMPONENT_SCHEMA.length)}`];
      }
      return [name, withAbsoluteReferences(member)];
    }),
  );
}

function count(value: unknown, at: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1) return value;
  return fail(at, 'must be a positive integer');
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A member name as a segment of a JSON Pointer (RFC 6901 section 3). */
function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

function fail(at: string, why: string): never {
  throw new Error(`${at === '' ? 'the document' : at} ${why}`);
}
