import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface RelayOptions {
  /** Where it listens. */
  readonly address: string;
  readonly port: number;
  /** Who takes connections at this moment. */
  readonly endpoints: () => readonly Endpoint[];
  /** Where TLS ends here: the certificate that is shown (PEM). */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Goes on over TLS, to a server of this authority (PEM). */
  readonly onwardCa?: string;
}

/**
 * A port of a Service: each connection goes to the next of the endpoints that are ready, and stays there, as with kube-proxy. One
 * that comes while there are none is refused.
 */
export class ServiceRelay {
  private readonly open = new Set<Socket | TLSSocket>();
  private turn = 0;

  private constructor(
    private readonly options: RelayOptions,
    private readonly server: Server,
  ) {}

  static async listen(options: RelayOptions): Promise<ServiceRelay> {
    const { tls, address, port } = options;
    // Half-open: one side may have said everything and still wait for the answer.
    const server =
      tls === undefined
        ? createServer({ allowHalfOpen: true })
        : createTlsServer({ ...tls, allowHalfOpen: true });
    const relay = new ServiceRelay(options, server);
    server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => relay.pass(socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, address, resolve);
    });
    return relay;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.open) socket.destroy();
    await closed;
  }

  private pass(inbound: Socket): void {
    const endpoints = this.options.endpoints();
    const endpoint = endpoints[this.turn % Math.max(endpoints.length, 1)];
    this.turn += 1;
    this.hold(inbound);
    if (endpoint === undefined) {
      inbound.destroy();
      return;
    }
    const { onwardCa } = this.options;
    const onward =
      onwardCa === undefined
        ? connectTcp({ ...endpoint, allowHalfOpen: true })
        : connectTls({ ...endpoint, ca: onwardCa });
    this.hold(onward);
    for (const [one, other] of [
      [inbound, onward],
      [onward, inbound],
    ] as const) {
      one.on('close', (hadError) => {
        if (hadError) other.destroy();
      });
    }
    inbound.pipe(onward).pipe(inbound);
  }

  private hold(socket: Socket | TLSSocket): void {
    this.open.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('close', () => this.open.delete(socket));
  }
}
