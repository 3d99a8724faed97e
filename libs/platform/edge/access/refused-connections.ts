/** Connections whose client was refused after their handshake, and why; the reason completes "client certificate: ". */
const refused = new WeakMap<object, string>();

/** Refuses everything that the connection still sends. */
export function refuseConnection(socket: object, reason: string): void {
  refused.set(socket, reason);
}

/** Why a connection is refused, undefined when it is not. */
export function whyConnectionRefused(socket: object): string | undefined {
  return refused.get(socket);
}
