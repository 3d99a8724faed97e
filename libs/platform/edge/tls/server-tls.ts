import { type X509Certificate } from 'node:crypto';
import { type ServerResponse } from 'node:http';
import { type Server } from 'node:https';
import { type SecureContextOptions, type TLSSocket } from 'node:tls';
import { certificatesIn, type Logger, revocationListsIn } from '#platform/process';
import { refuseConnection } from '../access/refused-connections';
import { issuerOf, RevocationLists } from './revocation-lists';

/** PEM, as text or bytes. */
export interface ServiceTls {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** The authorities whose client certificates are accepted. */
  readonly ca: string | Buffer;
  /** Revocation lists of those authorities. */
  readonly crl?: string | Buffer | undefined;
}

/** Longest way from a client's certificate to a root. */
const MAX_CHAIN = 10;

/** Mutual TLS 1.3. It has no renegotiation: a connection keeps the certificate that it began with. */
export function serverTlsOptions({ cert, key, ca, crl }: ServiceTls) {
  return {
    cert,
    key,
    ca,
    ...(crl !== undefined && { crl: revocationListsIn(crl) }),
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
  } satisfies SecureContextOptions & { requestCert: boolean; rejectUnauthorized: boolean };
}

/** Socket with Node's own members: the current answer, and the connection under TLS. */
type ServerConnection = TLSSocket & { _httpMessage?: ServerResponse | null; _parent?: object };

/**
 * The TLS of a server that continues while its material is renewed. New connections get the new certificate and are
 * checked against the new authorities and lists. Open connections stay, except those of clients that would be refused
 * now: these end with the current answer, and further requests on them are not served.
 */
export class ServerTls {
  private readonly connections = new Set<ServerConnection>();
  private renewals = 0;
  /** Number of renewals when a connection was accepted, by the socket under its TLS. */
  private readonly begun = new WeakMap<object, number>();
  /** Refusals of client certificates under the active material, by fingerprint. */
  private verdicts = new Map<string, string | null>();
  private authorities: readonly X509Certificate[];
  private lists: RevocationLists | undefined;
  /** Whether the last renewal removed authorities, and the issuers whose lists grew. */
  private isLess = false;
  private moreRevoked: ReadonlySet<string> = new Set();

  constructor(
    private readonly server: Server,
    tls: ServiceTls,
    private readonly logger: Logger,
  ) {
    this.authorities = certificatesIn(tls.ca);
    this.lists = tls.crl === undefined ? undefined : new RevocationLists(tls.crl);
    server.on('connection', (socket) => this.begun.set(socket, this.renewals));
    server.on('secureConnection', (socket: ServerConnection) => {
      this.connections.add(socket);
      socket.once('close', () => this.connections.delete(socket));
      // A handshake is checked against the material that was active when it began.
      if (this.begun.get(socket._parent ?? socket) !== this.renewals) this.check(socket);
    });
  }

  /** Activates other material. */
  renew(tls: ServiceTls): void {
    const lists = tls.crl === undefined ? undefined : new RevocationLists(tls.crl);
    // A context has ticket keys of its own: no earlier session is resumed past the new lists.
    this.server.setSecureContext(serverTlsOptions(tls));
    const authorities = certificatesIn(tls.ca);
    const kept = new Set(authorities.map(({ fingerprint256 }) => fingerprint256));
    this.isLess = this.authorities.some(({ fingerprint256 }) => !kept.has(fingerprint256));
    this.moreRevoked = lists?.issuersWithMore(this.lists) ?? new Set();
    this.authorities = authorities;
    this.lists = lists;
    this.renewals++;
    this.verdicts.clear();
    const ended = [...this.connections].filter((socket) => this.check(socket)).length;
    if (ended > 0) {
      this.logger.warn({ connections: ended }, 'connections end whose client certificates are refused now');
    }
  }

  /** @returns whether the connection ends */
  private check(socket: ServerConnection): boolean {
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) return false;
    const { fingerprint256 } = certificate;
    let reason = this.verdicts.get(fingerprint256);
    if (reason === undefined) {
      reason = this.whyRefused(certificate);
      this.verdicts.set(fingerprint256, reason);
    }
    if (reason === null) return false;
    refuseConnection(socket, reason);
    const answering = socket._httpMessage;
    if (!answering) socket.destroy();
    else {
      if (!answering.headersSent) answering.setHeader('Connection', 'close');
      answering.once('close', () => socket.destroySoon());
    }
    return true;
  }

  private whyRefused(certificate: X509Certificate): string | null {
    const way = this.wayToRoot(certificate, MAX_CHAIN);
    if ([certificate, ...(way ?? [])].some(({ raw }) => this.lists?.revokes(raw))) return 'it is revoked';
    if (way !== undefined) return null;
    // It came through an authority that its client sent along, and Node does not show that one to a server.
    const isIssuedBy = issuerOf(certificate.raw);
    if (!this.isLess && [...this.moreRevoked].every((issuer) => issuer === isIssuedBy)) return null;
    return 'its authority is not accepted any more, or has to be shown anew';
  }

  /** The authorities between a certificate and a root, with it; undefined when they are not all in the file. */
  private wayToRoot(certificate: X509Certificate, depth: number): X509Certificate[] | undefined {
    for (const issuer of depth === 0 ? [] : this.authorities) {
      if (!certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey)) continue;
      if (issuer.validToDate.getTime() < Date.now()) continue;
      if (issuer.checkIssued(issuer)) return [issuer];
      const rest = this.wayToRoot(issuer, depth - 1);
      if (rest !== undefined) return [issuer, ...rest];
    }
    return undefined;
  }
}
