import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

type Schema = { [member: string]: unknown };

interface KindOfDefinition {
  readonly group: string;
  readonly kind: string;
  readonly version: string;
}

const DEFINITIONS = '_definitions.json';
const PREFIX = 'io.k8s.apimachinery.pkg.api.resource.';

/**
 * Writes the schemas of everything that an API server serves, from its OpenAPI document, so that kubeconform finds them as
 * `{{ .ResourceKind }}{{ .KindSuffix }}.json`. They refuse members that the document does not know.
 */
export async function writeKubeconformSchemas(
  openApi: { definitions: Record<string, Schema> },
  dir: string,
): Promise<void> {
  await mkdir(dir, { recursive: true });
  const definitions = structuredClone(openApi.definitions);
  for (const schema of Object.values(definitions)) close(schema);
  for (const name of ['Quantity', 'Quantity_v2']) {
    // The document says string, and the server takes numbers too.
    if (definitions[`${PREFIX}${name}`] !== undefined) {
      definitions[`${PREFIX}${name}`] = { oneOf: [{ type: 'string' }, { type: 'number' }] };
    }
  }
  await writeFile(join(dir, DEFINITIONS), JSON.stringify({ definitions }));
  for (const schema of Object.values(definitions)) {
    const kinds = (schema['x-kubernetes-group-version-kind'] ?? []) as KindOfDefinition[];
    // Options of requests, such as DeleteOptions, belong to every group.
    const [only, ...more] = kinds;
    if (only === undefined || more.length > 0) continue;
    const group = only.group.split('.')[0] ?? '';
    const suffix = `${group === '' ? '' : `-${group}`}-${only.version}`;
    await writeFile(join(dir, `${only.kind.toLowerCase()}${suffix}.json`), JSON.stringify(schema));
  }
}

/** Changes a schema, and those in it, from OpenAPI's dialect to one that refuses unknown members. */
function close(schema: Schema): void {
  if (schema.format === 'int-or-string' || schema['x-kubernetes-int-or-string'] === true) {
    delete schema.format;
    delete schema.type;
    schema.oneOf = [{ type: 'string' }, { type: 'integer' }];
  }
  if (typeof schema.$ref === 'string') {
    schema.$ref = schema.$ref.replace('#/definitions/', `${DEFINITIONS}#/definitions/`);
  }
  const properties = (schema.properties ?? {}) as Record<string, Schema>;
  for (const property of Object.values(properties)) close(property);
  for (const inner of [schema.items, schema.additionalProperties]) {
    if (typeof inner === 'object' && inner !== null) close(inner as Schema);
  }
  for (const several of [schema.allOf, schema.anyOf, schema.oneOf]) {
    if (Array.isArray(several)) for (const inner of several) close(inner as Schema);
  }
  const isOpen = schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (schema.properties !== undefined && schema.additionalProperties === undefined && !isOpen) {
    schema.additionalProperties = false;
  }
}
