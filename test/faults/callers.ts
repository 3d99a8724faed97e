import { type MtlsClient, type TestStack } from '#dev/testing';

const CONNECTIONS_EACH = 25;

/** Many connections to one kernel, opened a few at a time: the tests do not measure TLS handshakes. */
export class Callers {
  private constructor(private readonly clients: readonly MtlsClient[]) {}

  static async connect(stack: TestStack, connections: number, kernel = 0): Promise<Callers> {
    const clients = Array.from({ length: connections / CONNECTIONS_EACH }, () =>
      stack.client('OPERATOR', { kernel, connections: CONNECTIONS_EACH }),
    );
    for (const client of clients) {
      await Promise.all(Array.from({ length: CONNECTIONS_EACH }, () => client.get('/kernel/audit/head')));
    }
    return new Callers(clients);
  }

  /** Returns the client of one writer; there are as many writers as connections. */
  of(writer: number): MtlsClient {
    return this.clients[writer % this.clients.length] as MtlsClient;
  }

  async close(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.close()));
  }
}
