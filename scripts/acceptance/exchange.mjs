import { createWriteStream } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { pipeline } from 'node:stream/promises';

const TIMEOUT_MS = 30_000;
/** Answers that are read into memory. The export is written to a file. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * One HTTP exchange. `fetch` of Node.js knows neither client certificates nor an authority of our own.
 * @param options { method, headers, body, file (where the body goes instead of into memory), timeoutMs, agent, and options of TLS }
 * @returns {Promise<{ status: number, headers: object, text: string, json: any }>} `json` throws when the answer is none
 */
export function exchange(url, { body, file, timeoutMs = TIMEOUT_MS, ...options } = {}) {
  const { request } = url.startsWith('https:') ? https : http;
  return new Promise((resolve, reject) => {
    const late = () => sent.destroy(new Error(`${url} gave no whole answer within ${timeoutMs / 1_000} s`));
    // A download may take long as long as something comes; everything else has one deadline.
    const deadline = file === undefined ? setTimeout(late, timeoutMs) : undefined;
    const sent = request(url, options, (answer) => {
      const read = file !== undefined && answer.statusCode === 200 ? toFile(answer, file) : toText(answer);
      read.then((text) => resolve(answerOf(url, answer, text)), reject).finally(() => clearTimeout(deadline));
    });
    if (file !== undefined) sent.setTimeout(timeoutMs, late);
    sent.on('error', (error) => {
      clearTimeout(deadline);
      reject(error);
    });
    sent.end(body);
  });
}

async function toFile(answer, file) {
  await pipeline(answer, createWriteStream(file, { mode: 0o600 }));
  return '';
}

async function toText(answer) {
  const chunks = [];
  let length = 0;
  for await (const chunk of answer) {
    length += chunk.length;
    if (length > MAX_BYTES) throw new Error(`the answer has more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function answerOf(url, { statusCode, headers }, text) {
  return {
    status: statusCode,
    headers,
    text,
    get json() {
      try {
        return JSON.parse(text);
      } catch {
        throw new Error(
          `${url} answered ${statusCode} with something that is not JSON: ${text.slice(0, 80)}`,
        );
      }
    },
  };
}
