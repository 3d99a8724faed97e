import { connect } from 'node:net';
import { type OpenBaoFact, type PortFact } from '../facts';
import { answerOf } from './endpoints';
import { reasonOf } from './bounded';

const CONNECT_TIMEOUT_MS = 3_000;

/** Asks a broker for its versions (ApiVersions, version 0), which it answers to anyone who speaks without TLS. */
export async function brokerProblem(broker: string): Promise<string | null> {
  const at = broker.lastIndexOf(':');
  const request = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff]);
  return await new Promise((resolve) => {
    const socket = connect({ host: broker.slice(0, at), port: Number(broker.slice(at + 1)) });
    const done = (problem: string | null) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(problem);
    };
    // A process that hangs still accepts connections: the kernel of the machine does it.
    const timer = setTimeout(
      () => done(`no answer within ${CONNECT_TIMEOUT_MS / 1000} s`),
      CONNECT_TIMEOUT_MS,
    );
    socket.on('connect', () => socket.write(request));
    socket.on('data', () => done(null));
    socket.on('error', (error) => done(reasonOf(error)));
    socket.on('close', () => done('it closed the connection'));
  });
}

/** Whether somebody listens. */
export async function listens(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const done = (answer: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => done(true), CONNECT_TIMEOUT_MS);
    socket.on('connect', () => done(true));
    socket.on('error', () => done(false));
  });
}

/** Ports that someone has although the process that they belong to does not run. */
export async function takenPorts(
  ports: readonly { port: number; purpose: string; running: boolean }[],
): Promise<PortFact[]> {
  return await Promise.all(
    ports.map(async ({ port, purpose, running }) => ({
      port,
      purpose,
      taken: !running && (await listens(port)),
    })),
  );
}

/** The state of an OpenBao or Vault server. It tells it to anyone. @throws Error when it does not answer */
export async function openBaoAt(url: string, ca?: string): Promise<OpenBaoFact> {
  const answer = await answerOf(
    `${url.replace(/\/$/, '')}/v1/sys/seal-status`,
    ca === undefined ? {} : { ca },
  );
  if (answer.status !== 200) throw new Error(answer.status === 0 ? answer.text : `HTTP ${answer.status}`);
  const { sealed, initialized } = JSON.parse(answer.text) as { sealed?: boolean; initialized?: boolean };
  return { url, sealed: sealed !== false, initialized: initialized === true };
}
