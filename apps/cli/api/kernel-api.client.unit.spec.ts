import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectionFrom } from './connection';
import { KernelApiClient } from './kernel-api.client';

describe('a call of the API', () => {
  let folder: string;
  let file: string;
  let server: Server;
  let url: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kernel-api-client-'));
    file = join(folder, 'unused.pem');
    writeFileSync(file, '');
    // The kernel answers over TLS alone; what is tested here lies above that.
    server = createServer(({ url: path }, response) => {
      if (path === '/refused') {
        response.writeHead(503, { 'retry-after': '30' });
        response.end(
          JSON.stringify({ error: 'read_only', error_id: 'e-1', detail: 'The kernel is read-only.' }),
        );
        return;
      }
      response.writeHead(200);
      response.write('{"n":1}\n', () => response.socket?.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true, force: true });
  });

  it('whose answer breaks off is told as such', async () => {
    const client = new KernelApiClient({ url, ca: file, cert: file, key: file });
    const read = async (): Promise<string> => {
      let text = '';
      for await (const chunk of await client.stream('/kernel/audit/export')) text += String(chunk);
      return text;
    };
    try {
      await expect(read()).rejects.toMatchObject({
        code: 'unreachable',
        message: expect.stringContaining(`Cannot reach ${url}`) as string,
      });
    } finally {
      await client.close();
    }
  });

  it('that is refused for now says for how long, and where its log is', async () => {
    const connection = { url, ca: file, cert: file, key: file };
    const message = async (more: object): Promise<string> => {
      const client = new KernelApiClient({ ...connection, ...more });
      try {
        return await client.get('/refused').then(String, (error: Error) => error.message);
      } finally {
        await client.close();
      }
    };
    const said =
      'The kernel answered 503 (read_only, error_id e-1): The kernel is read-only. Try again in 30 s.';
    expect(await message({})).toBe(said);
    expect(await message({ logFile: '/state/logs/kernel.log' })).toBe(
      `${said} Its log: /state/logs/kernel.log`,
    );
  });

  it('to what is no URL is refused in one sentence', async () => {
    const given = { ca: file, cert: file, key: file };
    await expect(connectionFrom({ ...given, url: 'localhost' })).rejects.toMatchObject({
      code: 'wrong_usage',
      message: '--url localhost is no URL; it looks like https://HOST:PORT.',
    });
    expect(await connectionFrom({ ...given, url })).toEqual({ ...given, url });
  });
});
