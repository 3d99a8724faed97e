// Writes docs/metrics.md from the places that make a metric: `new Counter({ name, help, labelNames })` and what else this
// repository does with prom-client. A process has the metrics of the files that are left in its program once what it does not use is
// taken away. With --check it writes nothing and fails when the page is not what it would write. test/pipeline/metrics-docs.e2e.spec.ts
// holds the page against what the processes of a running stack say.
import { readdirSync, readFileSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import * as prettier from 'prettier';
import ts from 'typescript';

const root = join(import.meta.dirname, '..');
const page = join(root, 'docs', 'metrics.md');

const KINDS = new Map(
  ['Counter', 'Gauge', 'Histogram'].flatMap((kind) => [
    [kind, kind.toLowerCase()],
    [`make${kind}Provider`, kind.toLowerCase()],
  ]),
)
  .set('tracedHistogram', 'histogram')
  .set('makeTracedHistogramProvider', 'histogram');

/**
 * Every label that a metric may have, and where its values come from. None takes what a caller sends: each value of a label is a
 * series that Prometheus keeps. Whoever adds one says here what bounds it; test/operations/cardinality.e2e.spec.ts sends what is hostile.
 */
const LABELS = {
  backend: 'the configured signing backend',
  client: 'common names that the signing proxy is configured with; `other` for everyone else',
  code: 'codes of errors in the sources',
  drill: 'the five drills',
  endpoint: 'configured endpoints of notifications',
  event: 'types of events in the sources',
  kid: 'keys that the kernel or the proxy holds; made keys are limited (KERNEL_SIGNING_MAX_MADE_KEYS)',
  kind: 'words in the sources',
  log: 'configured logs of a witness',
  method: 'methods that HTTP knows here; `other` for the rest',
  mode: 'the three modes',
  operation: 'operations of the archive in the sources',
  outcome: 'words in the sources',
  pool: 'pools of connections in the sources',
  purpose: 'purposes of signatures in the sources',
  purposes: 'what a registered key is for',
  reason: 'words in the sources',
  replica: 'application_name of replicas, by the operator of PostgreSQL; at most 20, 63 characters each',
  request: 'what is asked of the identity provider, in the sources',
  result: 'words in the sources',
  route: 'templates of the OpenAPI document; one word for all that is no route',
  serial: 'certificates in configured files, at most 50 of a use',
  setting: 'names of settings',
  shard: 'numbers of shards (KERNEL_SHARDS)',
  stage: 'stages of the pipeline in the sources',
  state: 'words in the sources',
  status: 'status codes that the sources answer with',
  step: 'words in the sources',
  subject: 'certificates in configured files, at most 50 of a use, 128 characters each',
  use: 'uses of TLS files in the sources',
  webhook: 'ids of subscriptions, which the kernel makes; their number is limited',
  what: 'words in the sources',
  where: 'tables in the sources',
  witness: 'configured witnesses',
};

const sources = new Map();
function sourceOf(file) {
  const text = () => readFileSync(join(root, file), 'utf8');
  if (!sources.has(file)) {
    sources.set(file, ts.createSourceFile(file, text(), ts.ScriptTarget.Latest, true));
  }
  return sources.get(file);
}

function sourcesBeside(file) {
  return readdirSync(join(root, dirname(file)))
    .filter((name) => name.endsWith('.ts') && !name.includes('.spec.'))
    .map((name) => sourceOf(join(dirname(file), name)));
}

/** Metrics that a source file makes. */
function metricsOf(file) {
  const source = sourceOf(file);
  const constants = new Map();
  const metrics = [];

  /** Values that an expression can have: one where it is written there, several for the argument of a local function. */
  const valuesOf = (node) => {
    if (node === undefined) return [undefined];
    if (ts.isAsExpression(node) || ts.isParenthesizedExpression(node)) return valuesOf(node.expression);
    if (ts.isStringLiteralLike(node)) return [node.text];
    if (ts.isArrayLiteralExpression(node)) return [node.elements.map((element) => valuesOf(element)[0])];
    if (ts.isBinaryExpression(node)) return [valuesOf(node.left)[0] + valuesOf(node.right)[0]];
    if (ts.isIdentifier(node)) {
      if (constants.has(node.text)) return valuesOf(constants.get(node.text));
      const given = givenTo(node);
      if (given !== undefined) return given.flatMap(valuesOf);
    }
    const { line } = source.getLineAndCharacterOfPosition(node.getStart());
    throw new Error(
      `${file}:${line + 1}: cannot tell what ${node.getText()} is; metrics are written as literals`,
    );
  };

  /** Expressions that come to a name: arguments of the calls of a local function, or members of the tuples of a loop. */
  const givenTo = (name) => {
    for (let at = name.parent; at !== undefined; at = at.parent) {
      if (ts.isForOfStatement(at)) {
        const [declaration] = at.initializer.declarations;
        const names = declaration?.name.elements?.map((element) => element.name.getText());
        let list = at.expression;
        while (ts.isAsExpression(list)) list = list.expression;
        const index = names?.indexOf(name.text) ?? -1;
        if (index >= 0) return list.elements.map((tuple) => tuple.elements[index]);
      }
      if (!ts.isArrowFunction(at) && !ts.isFunctionDeclaration(at)) continue;
      const index = at.parameters.findIndex((parameter) => parameter.name.getText() === name.text);
      if (index < 0) continue;
      const called = at.name?.text ?? at.parent.name?.getText();
      const given = [];
      const visit = (node) => {
        if (ts.isCallExpression(node) && node.expression.getText() === called)
          given.push(node.arguments[index]);
        ts.forEachChild(node, visit);
      };
      // A function that is exported is called in its own folder, too.
      const exported = at.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true;
      for (const other of exported ? sourcesBeside(file) : [source]) visit(other);
      return given;
    }
    return undefined;
  };

  const take = (kind, options) => {
    const member = (name) => {
      const found = options.properties.find((property) => property.name?.getText() === name);
      if (found === undefined) return undefined;
      return ts.isShorthandPropertyAssignment(found) ? found.name : found.initializer;
    };
    // What wraps a kind of metric names none itself.
    if (member('name') === undefined) return;
    const names = valuesOf(member('name'));
    const helps = valuesOf(member('help'));
    const labels = valuesOf(member('labelNames'));
    names.forEach((name, n) =>
      metrics.push({
        kind,
        name,
        help: helps[n],
        labels: (labels.length === 1 ? labels[0] : labels[n]) ?? [],
      }),
    );
  };

  const visit = (node) => {
    if ((ts.isNewExpression(node) || ts.isCallExpression(node)) && node.arguments !== undefined) {
      const [first, second] = node.arguments;
      const called = KINDS.get(node.expression.getText());
      // `kept(Counter<Label>, {...})`: makes one, or takes the one that is there.
      const passed = first === undefined ? undefined : KINDS.get(first.getText().replace(/<.*$/s, ''));
      if (called !== undefined && first !== undefined && ts.isObjectLiteralExpression(first))
        take(called, first);
      if (passed !== undefined && second !== undefined && ts.isObjectLiteralExpression(second))
        take(passed, second);
    }
    ts.forEachChild(node, visit);
  };
  // Constants first: a metric may use one that comes after it.
  const collect = (node) => {
    if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.initializer !== undefined) {
      constants.set(node.name.text, node.initializer);
    }
    ts.forEachChild(node, collect);
  };
  collect(source);
  visit(source);
  return metrics;
}

/** Source files of which something is left in an app's program. */
async function filesOf(app) {
  const { metafile } = await build({
    entryPoints: [join(root, 'apps', app, 'main.ts')],
    absWorkingDir: root,
    outfile: 'program.cjs',
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'cjs',
    packages: 'external',
    conditions: ['types'],
    treeShaking: true,
    logLevel: 'error',
  });
  const [output] = Object.values(metafile.outputs);
  return Object.entries(output.inputs)
    .filter(([file, { bytesInOutput }]) => bytesInOutput > 0 && file.endsWith('.ts'))
    .map(([file]) => file);
}

const cell = (text) => text.replaceAll('|', '\\|');

const known = new Map();
const processes = [];
for (const app of (await readdir(join(root, 'apps'))).sort()) {
  // Commands end, and pages run in browsers; nobody scrapes them.
  if (['cli', 'audit-verify', 'admin-ui'].includes(app)) continue;
  const metrics = [];
  for (const file of await filesOf(app)) {
    if (!known.has(file)) {
      const { text } = sourceOf(file);
      const makes = /#platform\/process|prom-client|\.\.\/metrics\//.test(text) && /\bhelp\b/.test(text);
      known.set(file, makes ? metricsOf(file) : []);
    }
    metrics.push(...known.get(file));
  }
  if (metrics.length > 0) processes.push({ app, metrics });
}

const everywhere = processes.map(({ metrics }) => new Set(metrics.map(({ name }) => name)));
const common = (name) => everywhere.every((names) => names.has(name));
const table = (metrics) => [
  '| metric | type | labels | |',
  '| --- | --- | --- | --- |',
  ...[...new Map(metrics.map((metric) => [metric.name, metric])).values()]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(
      ({ name, kind, help, labels }) =>
        `| \`${name}\` | ${kind} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${cell(help)} |`,
    ),
  '',
];
const used = new Set(processes.flatMap(({ metrics }) => metrics.flatMap(({ labels }) => labels)));
for (const label of used) {
  if (label in LABELS) continue;
  throw new Error(
    `The label ${label} is not among those of scripts/metrics-docs.mjs: say there what bounds its values.`,
  );
}
for (const label of Object.keys(LABELS)) {
  if (!used.has(label))
    throw new Error(`No metric has the label ${label} any more: take it out of scripts/metrics-docs.mjs.`);
}
const shared = processes[0].metrics.filter(({ name }) => common(name));
const text = await prettier.format(
  [
    '# Metrics',
    '',
    '<!-- Generated from the sources by `npm run docs`. Do not edit by hand. -->',
    '',
    'Every process serves its metrics for Prometheus at `/metrics` of its management address. Besides those below each has the usual',
    'ones of Node.js and the process (`nodejs_...`, `process_...`). A histogram `x` is served as `x_bucket`, `x_sum` and `x_count`.',
    'Whoever accepts OpenMetrics, as Prometheus does, gets that format, with exemplars that name traces ([dashboards](dashboards.md)).',
    '',
    ...(shared.length === 0
      ? []
      : [
          '## every process',
          '',
          'Those of HTTP and TLS where it serves or asks that.',
          '',
          ...table(shared),
        ]),
    ...processes.flatMap(({ app, metrics }) => {
      const own = metrics.filter(({ name }) => !common(name));
      return own.length === 0 ? [] : [`## ${app}`, '', ...table(own)];
    }),
    '## Labels',
    '',
    'No label takes what a caller sends, so that nobody from outside makes series.',
    '',
    '| label | values |',
    '| --- | --- |',
    ...Object.entries(LABELS).map(([label, values]) => `| \`${label}\` | ${cell(values)} |`),
    '',
  ].join('\n'),
  { ...(await prettier.resolveConfig(page)), parser: 'markdown' },
);
if (!process.argv.includes('--check')) await writeFile(page, text);
else if ((await readFile(page, 'utf8').catch(() => '')) !== text) {
  console.error('docs/metrics.md is not what the sources say; run `npm run docs` and commit the page.');
  process.exitCode = 1;
}
