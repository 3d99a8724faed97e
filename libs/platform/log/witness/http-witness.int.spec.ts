import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import {
  cosignatureInput,
  noteKeyHash,
  noteKeyText,
  type NoteKey,
  parseLogPolicy,
  signatureLine,
  timestampedSignature,
} from '#evidence';
import { witnessPolicy } from '../publishing/witness';
import { HttpWitness, witnessesOf } from './http-witness';

const TEXT = `kernel.example.com/log/0\n9\n${Buffer.alloc(32, 3).toString('base64')}\n`;
const NOTE = `${TEXT}\n\u2014 kernel.example.com/log/0 AAAAAAAA\n`;
const REQUEST = { oldSize: 5, consistency: [Buffer.alloc(32, 1)], checkpointNote: NOTE };

function party(name: string) {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(12);
  const key: NoteKey = { name, type: 'cosignature/v1', raw };
  const line = (text: string, time = 1_700_000_000): string =>
    signatureLine({
      name,
      keyHash: noteKeyHash(name, raw, key.type),
      signature: timestampedSignature({
        time,
        signature: sign(null, cosignatureInput(time, text), privateKey),
      }),
    });
  return { key, vkey: noteKeyText(key), line };
}

describe('a witness that is asked over HTTP', () => {
  const own = party('witness.example.com');
  const stranger = party('stranger.example.com');
  let server: Server;
  let url: string;
  let respond: (request: IncomingMessage, response: ServerResponse, body: string) => void;
  let client: HttpWitness;
  beforeAll(async () => {
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => respond(request, response, body));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/submit/`;
    client = new HttpWitness({ name: 'w', url, vkey: own.vkey, timeoutMs: 2_000 });
  });
  afterAll(async () => {
    await client.close();
    server.closeAllConnections();
    server.close();
  });
  const answering = (status: number, text: string) => {
    respond = (_, response) => response.writeHead(status).end(text);
    return client.addCheckpoint(REQUEST);
  };

  it('is sent old size, proof and checkpoint, below its submission prefix', async () => {
    const seen: string[] = [];
    respond = (request, response, body) => {
      seen.push(`${request.method} ${request.url}`, body);
      response.end(own.line(TEXT));
    };
    expect(await client.addCheckpoint(REQUEST)).toEqual({ cosignatures: [own.line(TEXT)] });
    expect(seen).toEqual([
      'POST /submit/add-checkpoint',
      `old 5\n${Buffer.alloc(32, 1).toString('base64')}\n\n${NOTE}`,
    ]);
  });

  it('is believed what its own key has signed, and nothing else', async () => {
    const lines = stranger.line(TEXT) + own.line(TEXT);
    expect(await answering(200, lines)).toEqual({ cosignatures: [own.line(TEXT)] });
    for (const text of [stranger.line(TEXT), own.line(`${TEXT}more\n`), 'ok\n', '', own.line(TEXT).trim()]) {
      await expect(answering(200, text)).rejects.toMatchObject({ code: 'invalid_answer' });
    }
  });

  it('says at which size it is, or that it refuses', async () => {
    expect(await answering(409, '7\n')).toEqual({ conflict: 7 });
    // The same size means another root.
    await expect(answering(409, '5\n')).rejects.toMatchObject({ code: 'refused', details: { status: 409 } });
    await expect(answering(409, '05\n')).rejects.toMatchObject({ code: 'refused' });
    for (const status of [400, 403, 404, 422, 500, 301]) {
      await expect(answering(status, 'no\u0007\n')).rejects.toMatchObject({
        code: 'refused',
        details: { status, witness: 'w' },
        message: `The witness w answered ${status}: no\\u0007.`,
      });
    }
  });

  it('is not waited for too long, and not read without end', async () => {
    const impatient = new HttpWitness({ name: 'w', url, vkey: own.vkey, timeoutMs: 50 });
    respond = () => undefined;
    await expect(impatient.addCheckpoint(REQUEST)).rejects.toMatchObject({
      code: 'unreachable',
      message: 'The witness w could not be asked: no answer within 50 ms.',
    });
    await impatient.close();
    await expect(answering(200, own.line(TEXT).repeat(200))).rejects.toMatchObject({ code: 'unreachable' });
    respond = (_, response) => response.destroy();
    await expect(client.addCheckpoint(REQUEST)).rejects.toMatchObject({ code: 'unreachable' });
    const stopping = new AbortController();
    respond = () => stopping.abort(new Error('not wanted any more'));
    await expect(client.addCheckpoint(REQUEST, stopping.signal)).rejects.toThrow('not wanted any more');
  });

  it('has five times as long as a checkpoint waits for its quorum', async () => {
    const policy = parseLogPolicy(`witness w ${own.vkey} ${url}\nquorum w\n`);
    const {
      witnesses: [witness],
    } = witnessPolicy(policy, { cosignTimeoutMs: 20 });
    respond = () => undefined;
    await expect(witness?.addCheckpoint(REQUEST, new AbortController().signal)).rejects.toMatchObject({
      code: 'unreachable',
      message: 'The witness w could not be asked: no answer within 100 ms.',
    });
    await witness?.close?.();
  });

  it.each([
    ['http to another machine', 'http://witness.example.com', undefined],
    ['no URL', 'witness.example.com', undefined],
    ['credentials', 'https://user:secret@witness.example.com', undefined],
    ['a query', 'https://witness.example.com/?key=1', undefined],
    ['a key that is cut off', 'https://witness.example.com', own.vkey.slice(0, -4)],
    ["a log's key", 'https://witness.example.com', noteKeyText({ ...own.key, type: 'ed25519' })],
  ])('is not configured with %s', (_, address, vkey) => {
    expect(() => new HttpWitness({ name: 'w', url: address, vkey: vkey ?? own.vkey })).toThrow(
      expect.objectContaining({ code: 'misconfigured' }),
    );
  });

  it('comes from a policy that says where it is', () => {
    const policy = parseLogPolicy(`witness w ${own.vkey} https://witness.example.com/w1\nquorum w\n`);
    expect(witnessesOf(policy).map(({ name, key }) => [name, key.name])).toEqual([
      ['w', 'witness.example.com'],
    ]);
    expect(() => witnessesOf(parseLogPolicy(`witness w ${own.vkey}\nquorum w\n`))).toThrow('gives no URL');
  });
});
