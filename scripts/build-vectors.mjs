// Writes the golden vectors of docs/spec/vectors from published seeds, with libs/evidence; each kind has a file in
// scripts/vectors. With --check it writes nothing and fails when a committed file differs: formats do not change by accident.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { approvalVectors } from './vectors/approval-vectors.mjs';
import { chainVectors } from './vectors/chain-vectors.mjs';
import { documentVectors } from './vectors/document-vectors.mjs';
import { eventVectors } from './vectors/event-vectors.mjs';
import { jsonVectors } from './vectors/json-vectors.mjs';
import { keyVectors } from './vectors/key-vectors.mjs';
import { folder } from './vectors/vector-kernel.mjs';
import { logVectors } from './vectors/log-vectors.mjs';
import { manifestVectors } from './vectors/manifest-vectors.mjs';
import { publishedVectors } from './vectors/published-vectors.mjs';
import { receiptVectors } from './vectors/receipt-vectors.mjs';
import { evidenceVectors } from './vectors/upgrade-vectors.mjs';

const files = new Map();
for (const group of [
  jsonVectors(),
  eventVectors(),
  manifestVectors(),
  documentVectors(),
  approvalVectors(),
  keyVectors(),
  chainVectors(),
  await evidenceVectors(),
  await logVectors(),
  await receiptVectors(),
  await publishedVectors(),
]) {
  for (const [name, content] of Object.entries(group)) {
    files.set(name, typeof content === 'string' ? content : `${JSON.stringify(content, null, 1)}\n`);
  }
}

let different = 0;
for (const [name, content] of files) {
  const path = join(folder, name);
  if (process.argv.includes('--check')) {
    const committed = await readFile(path, 'utf8').catch(() => '');
    if (committed === content) continue;
    console.error(`docs/spec/vectors/${name} is not what scripts/build-vectors.mjs makes.`);
    different++;
  } else {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
}
if (different > 0) process.exit(1);
