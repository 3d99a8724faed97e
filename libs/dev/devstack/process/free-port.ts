import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { DevstackError } from '../devstack.error';

/** Another process may take a port between the moment it was found free and the moment the server listens on it. */
const PORT_ATTEMPTS = 3;

/**
 * Below the ports that Linux gives to outgoing connections (32768 on): a port of theirs that is free now may be the end of
 * some connection by the time the server listens.
 */
const PORTS = { first: 20_000, end: 32_768 };
/** One stack has fewer; {@link freePortBase} chooses among so many bases. */
const PORTS_OF_STACK = 20;
const BASES = { first: 10_000, count: 480 };
const CHOICES = 100;
/** What this process has given out: the server of each may not listen yet. */
const given = new Set<number>();

/** A TCP port on the loopback address that nothing listens on at this moment, and that this process gave to no one else. */
export async function freePort(): Promise<number> {
  for (let choice = 1; ; choice++) {
    const port = randomInt(PORTS.first, PORTS.end);
    if (given.has(port)) continue;
    try {
      await listenOnce(port);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || choice === CHOICES) throw error;
      continue;
    }
    given.add(port);
    return port;
  }
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

/**
 * A base for `./kernel up --port-base` whose ports are free now; far from the default, where a person may have a kernel running,
 * and from what {@link freePort} gives.
 */
export async function freePortBase(): Promise<number> {
  for (let choice = 1; ; choice++) {
    const base = BASES.first + randomInt(BASES.count) * PORTS_OF_STACK;
    try {
      for (let offset = 0; offset < PORTS_OF_STACK; offset += 1)
        await assertPortFree(base + offset, 'kernel');
      return base;
    } catch (error) {
      if (choice === CHOICES) throw error;
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

function listenOnce(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve()));
  });
}
