import { type TLSSocket } from 'node:tls';
import { AccessError } from './access-error';
import { certificateIdentity } from './certificate-identity';
import { type Principal } from './principal';
import { whyConnectionRefused } from './refused-connections';
import { type RoleBindings } from './role-bindings';

type Known = { principal: Principal; notAfter: number } | { refusal: AccessError };

/** Principals per set of bindings, then per connection: a certificate is parsed once and not for every request. */
const known = new WeakMap<RoleBindings, WeakMap<object, Known>>();

/**
 * The principal behind a connection, from its verified client certificate and nothing else.
 * The service listens for TLS 1.3 only, which has no renegotiation: the certificate cannot change under a connection.
 *
 * @throws AccessError `not_authenticated`, `ambiguous_certificate`, `certificate_expired`, `certificate_refused`.
 */
export function principalOf(
  socket: Pick<TLSSocket, 'authorized' | 'getPeerX509Certificate'>,
  bindings: RoleBindings,
  now: number = Date.now(),
): Principal {
  let connections = known.get(bindings);
  if (connections === undefined) {
    connections = new WeakMap();
    known.set(bindings, connections);
  }
  let entry = connections.get(socket);
  if (entry === undefined) {
    entry = identify(socket, bindings);
    connections.set(socket, entry);
  }
  if ('refusal' in entry) throw entry.refusal;
  const reason = whyConnectionRefused(socket);
  if (reason !== undefined) {
    throw new AccessError(
      'certificate_refused',
      `The client certificate is refused since this connection was opened: ${reason}.`,
    );
  }
  if (now > entry.notAfter) {
    throw new AccessError(
      'certificate_expired',
      'The client certificate has expired since this connection was opened; connect again with a valid one.',
    );
  }
  return entry.principal;
}

function identify(
  socket: Pick<TLSSocket, 'authorized' | 'getPeerX509Certificate'>,
  bindings: RoleBindings,
): Known {
  // A plain socket has neither member; `authorized` is true only when the chain led to a configured CA.
  const certificate = socket.authorized === true ? socket.getPeerX509Certificate() : undefined;
  if (certificate === undefined) {
    return {
      refusal: new AccessError(
        'not_authenticated',
        'This connection has no verified client certificate; connect with one issued by a CA that this kernel trusts.',
      ),
    };
  }
  try {
    const identity = certificateIdentity(certificate.raw);
    return { principal: bindings.principalFor(identity), notAfter: identity.notAfter };
  } catch (error) {
    if (error instanceof AccessError) return { refusal: error };
    throw error;
  }
}
