// Lints the service APIs' documents, openapi/*.yaml, by the rules of two linters that others use: redocly (redocly.yaml)
// and spectral (.spectral.yaml). A warning fails, too. Also sees that every operation has an example of its body and of its
// answer, where these are JSON; that they fit their schemas is one of the linters' rules.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '..');
const documents = ['openapi/kernel.yaml', 'openapi/signing-proxy.yaml'];
// Neither of them may tell others that it ran here, or ask whether there is a newer one.
const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };

/** What a program of node_modules/.bin printed, when it failed. */
function lint(program, ...args) {
  const { status, stdout, stderr, error } = spawnSync(
    process.execPath,
    [join(root, 'node_modules', '.bin', program), ...args],
    { cwd: root, env, encoding: 'utf8' },
  );
  if (status === 0) return;
  console.error(`${program} ${args.join(' ')}\n${stdout}${stderr}${error?.message ?? ''}`);
  process.exitCode = 1;
}

lint('redocly', 'lint', ...documents, '--format=stylish', '--max-problems=1000');
lint('spectral', 'lint', '--fail-severity=warn', ...documents);

const JSON_TYPE = 'application/json';
for (const document of documents) {
  const { paths } = parse(readFileSync(join(root, document), 'utf8'));
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, { requestBody, responses }] of Object.entries(operations)) {
      const [, answer] = Object.entries(responses).find(([status]) => status.startsWith('2')) ?? [];
      for (const [what, content] of [
        ['body', requestBody?.content],
        ['answer', answer?.content],
      ]) {
        const media = content?.[JSON_TYPE];
        if (media === undefined || media.example !== undefined || media.examples !== undefined) continue;
        console.error(`${document}: ${method.toUpperCase()} ${path} has no example of its ${what}; add one.`);
        process.exitCode = 1;
      }
    }
  }
}
