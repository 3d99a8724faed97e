import { get } from 'node:http';

const TIMEOUT_MS = 2_000;
/** Addresses to listen on, which are none to connect to. */
const EVERY_ADDRESS: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/** @returns null when the process answers that it is alive, else what is wrong */
export function askHealth(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const request = get(
      { host: EVERY_ADDRESS[host] ?? host, port, path: '/health', timeout: TIMEOUT_MS },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode === 200 ? null : `/health answers ${answer.statusCode}`);
      },
    );
    request.on('timeout', () => request.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    request.on('error', (error) => resolve(`/health cannot be asked: ${error.message}`));
  });
}
