import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { parentPort } from 'node:worker_threads';

/** Length of an audit event's signing input. */
const MESSAGE_BYTES = 130;
/** Different messages, so that caches hold only what they would hold in real use. */
const MESSAGES = 1_000;

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const signed = Array.from({ length: MESSAGES }, () => {
  const message = randomBytes(MESSAGE_BYTES);
  return { message, signature: sign(null, message, privateKey) };
});

/** Verifies the requested number of signatures and nothing else, and answers when it is done. */
parentPort?.on('message', (count: number) => {
  for (let i = 0; i < count; i++) {
    const { message, signature } = signed[i % MESSAGES] as (typeof signed)[number];
    if (!verify(null, message, publicKey, signature)) throw new Error('a right signature was refused');
  }
  parentPort?.postMessage(count);
});
