import { type TLSSocket } from 'node:tls';
import { AccessError, certificateIdentity } from '#platform/edge';
import { SigningRefusal } from '../refusal';

interface Known {
  commonName: string | undefined;
  notAfter: number;
}

/** A certificate is parsed once a connection; the server speaks TLS 1.3, where it cannot change afterwards. */
const known = new WeakMap<object, Known>();

/**
 * The common name in the verified certificate of a connection, undefined when it has none.
 * @throws SigningRefusal `client_not_permitted` without a verified, unambiguous, valid certificate
 */
export function clientName(
  socket: Pick<TLSSocket, 'authorized' | 'getPeerX509Certificate'>,
  now = Date.now(),
): string | undefined {
  let entry = known.get(socket);
  if (!entry) {
    entry = identify(socket);
    known.set(socket, entry);
  }
  if (now > entry.notAfter) {
    throw new SigningRefusal(
      'client_not_permitted',
      'The client certificate has expired since this connection was opened',
    );
  }
  return entry.commonName;
}

function identify(socket: Pick<TLSSocket, 'authorized' | 'getPeerX509Certificate'>): Known {
  const certificate = socket.authorized === true ? socket.getPeerX509Certificate() : undefined;
  if (!certificate) {
    throw new SigningRefusal('client_not_permitted', 'This connection has no verified client certificate');
  }
  try {
    const { commonName, notAfter } = certificateIdentity(certificate.raw);
    return { commonName, notAfter };
  } catch (error) {
    if (!(error instanceof AccessError)) throw error;
    throw new SigningRefusal('client_not_permitted', error.message, {}, { cause: error });
  }
}
