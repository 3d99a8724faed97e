import { X509Certificate } from 'node:crypto';
import { type Server } from 'node:https';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { type Logger } from '#platform/process';

/** PEM: the proxy's certificate and key, and the authorities whose client certificates are accepted. */
export interface TlsMaterial {
  cert: Buffer | string;
  key: Buffer | string;
  clientCa: Buffer | string;
}

/**
 * How often the files are looked at. Secrets are mounted by exchanging a link, which watching a file does not see; and a
 * certificate is renewed days before it ends.
 */
export const RELOAD_INTERVAL_MS = 10_000;

/** What of the server's TLS comes from these files. 1.3 has no renegotiation: who a connection belongs to cannot change. */
export function secureContextOf({ cert, key, clientCa }: TlsMaterial) {
  return { cert, key, ca: clientCa, minVersion: 'TLSv1.3' } satisfies SecureContextOptions;
}

/**
 * Puts a renewed certificate, or other client authorities, into force for connections from then on; those that are
 * open stay. Files that do not fit together are reported, and what was in force stays in force.
 */
export class CertificateReload {
  private readonly timer: NodeJS.Timeout;
  private current: string;
  /** What was refused last, so that it is said once. */
  private refused = '';

  constructor(
    private readonly server: Pick<Server, 'setSecureContext'>,
    private readonly read: () => TlsMaterial,
    inForce: TlsMaterial,
    private readonly logger: Logger,
    intervalMs: number = RELOAD_INTERVAL_MS,
  ) {
    this.current = fingerprint(inForce);
    this.timer = setInterval(() => this.look(), intervalMs);
    this.timer.unref();
  }

  /** Looks at the files now. */
  look(): void {
    let material: TlsMaterial;
    try {
      material = this.read();
    } catch (error) {
      this.report((error as Error).message);
      return;
    }
    const found = fingerprint(material);
    if (found === this.current) return;
    try {
      const certificate = new X509Certificate(material.cert);
      // Refuses a key that is not the certificate's, and what is no PEM.
      createSecureContext(secureContextOf(material));
      if (Date.parse(certificate.validTo) <= Date.now()) {
        throw new Error(`the certificate ended at ${certificate.validTo}`);
      }
      this.server.setSecureContext(secureContextOf(material));
      this.current = found;
      this.refused = '';
      this.logger.info(
        { subject: certificate.subject, validTo: certificate.validTo },
        'the TLS files have changed and are in force',
      );
    } catch (error) {
      this.report((error as Error).message);
    }
  }

  close(): void {
    clearInterval(this.timer);
  }

  private report(reason: string): void {
    if (reason === this.refused) return;
    this.refused = reason;
    this.logger.error(
      { reason },
      'the TLS files have changed and cannot be used; the ones before stay in force',
    );
  }
}

function fingerprint({ cert, key, clientCa }: TlsMaterial): string {
  return [cert, key, clientCa].map(String).join('\n');
}
