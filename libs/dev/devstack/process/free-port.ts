import { createServer } from 'node:net';
import { DevstackError } from '../devstack.error';

/** Another process may take a port between the moment it was found free and the moment the server listens on it. */
const PORT_ATTEMPTS = 3;

/** A TCP port on the loopback address that nothing listens on at this moment. */
export async function freePort(): Promise<number> {
  return await listenOnce(0);
}

/**
 * Starts a server that listens on ports which `start` chooses, with {@link freePort}; tries again when one of them was
 * taken before the server was there.
 * @param fixed the port was chosen elsewhere: it is that one or none
 */
export async function startOnFreePort<T>(start: () => Promise<T>, { fixed = false } = {}): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start();
    } catch (error) {
      const taken = error instanceof DevstackError && error.code === 'port_in_use';
      if (!taken || fixed || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

/** Refuses with a sentence that names the port and what it is for when something listens there already. */
export async function assertPortFree(port: number, purpose: string): Promise<void> {
  try {
    await listenOnce(port);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const reason = code === 'EACCES' ? 'may not be used by this user' : 'is already in use';
    throw new DevstackError(
      'port_in_use',
      `Port ${port} (${purpose}) ${reason}; stop what listens there or choose other ports with --port-base.`,
      { port, purpose },
      { cause },
    );
  }
}

function listenOnce(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address();
      const bound = typeof address === 'object' && address !== null ? address.port : port;
      server.close(() => resolve(bound));
    });
  });
}
