import { connect, isIP, type Socket } from 'node:net';
import { connect as tlsConnect, type ConnectionOptions } from 'node:tls';
import { type ISocketFactory } from 'kafkajs';
import RequestQueue from 'kafkajs/src/network/requestQueue';

const KEEP_ALIVE_MS = 30_000;

/**
 * The sockets of one kafkajs client. Its own `disconnect` first waits for answers that a broker may never give; closing
 * the sockets ends every request at once, and retries of kafkajs itself find no connection.
 */
export class KafkaSockets {
  private readonly open = new Set<Socket>();
  private closed = false;

  readonly factory: ISocketFactory = ({ host, port, ssl, onConnect }) => {
    if (this.closed) throw new Error('this client was closed');
    const tls = ssl as ConnectionOptions | undefined;
    const socket =
      tls === undefined || tls === null
        ? connect({ host, port }, onConnect)
        : tlsConnect({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}), ...tls }, onConnect);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    this.open.add(socket);
    socket.once('close', () => this.open.delete(socket));
    return socket;
  };

  close(): void {
    this.closed = true;
    // kafkajs listens for 'error', not for 'close'.
    for (const socket of this.open) socket.destroy(new Error('this client was closed'));
  }
}

/**
 * After every answer kafkajs 2.2.4 arms a timer for waiting requests, with a time before 1970 when there are none;
 * Node.js then warns, and fires it at once. Without waiting requests no check is needed.
 */
const schedule = RequestQueue.prototype.scheduleCheckPendingRequests;
RequestQueue.prototype.scheduleCheckPendingRequests = function (this: InstanceType<typeof RequestQueue>) {
  if (this.pending.length > 0) schedule.call(this);
};
