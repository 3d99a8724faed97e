import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { type Gauge, register, type Registry } from 'prom-client';
import { ConfigError } from '../config/config-error';
import { FileWatch } from '../files/file-watch';
import { type Logger } from '../logs/logger';
import { certificatesIn, revocationListsIn, type Validity, validityOf, whyNotInForce } from './certificates';
import { ExpiryWatch, gauge } from './expiry-watch';

/** Paths of PEM files that are used together. */
export interface TlsPaths {
  /** The own certificate chain, and the private key that belongs to it. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The authorities whose certificates are accepted from the other side. */
  readonly ca?: string | undefined;
  /** Revocation lists of those authorities. */
  readonly crl?: string | undefined;
}

/** Contents of the files of `P`. */
export type TlsMaterial<P extends TlsPaths = TlsPaths> = {
  readonly [M in keyof P]: P[M] extends string ? Buffer : Buffer | undefined;
};

/** Source of TLS material that is renewed while it is used. */
export interface TlsRenewals<M = TlsMaterial> {
  /** Calls `listener` with everything that takes effect from now on. */
  onRenewal(listener: (material: M) => void): void;
  close(): void;
}

export interface TlsFilesOptions<P extends TlsPaths> {
  /** Use of the files, in logs and metrics: `service_api`, `signing_proxy_client`. */
  readonly use: string;
  readonly paths: P;
  readonly logger: Logger;
  /** Default: the process-wide one. */
  readonly registry?: Registry;
  /** Reads the revocation lists; throws when they are not usable with the rest. */
  readonly readLists?: (material: TlsMaterial<P>) => readonly Validity[];
  /** Default: ten seconds. */
  readonly lookEveryMs?: number;
}

/** A set that does not fit together for so long is no longer being written. */
const RETRY_MS = 1_000;

/**
 * PEM files that are read again when they change (see {@link FileWatch}). A set takes effect only as a whole: certificate
 * and key belong together, and all are valid. Until then the previous one stays active, and the log and
 * `tls_files_refused` say so.
 */
export class TlsFiles<P extends TlsPaths = TlsPaths> implements TlsRenewals<TlsMaterial<P>> {
  private material: TlsMaterial<P>;
  private readonly listeners: ((material: TlsMaterial<P>) => void)[] = [];
  private readonly expiry: ExpiryWatch;
  private readonly refusedGauge: Gauge;
  private readonly watch: FileWatch;
  /** Why the files are refused, and since when (performance.now); undefined while they are active. */
  private refused: { reason: string; since: number; said: boolean } | undefined;

  /** @throws ConfigError when the files cannot be read or do not fit together */
  constructor(private readonly options: TlsFilesOptions<P>) {
    const { use, paths, logger, registry = register } = options;
    this.expiry = new ExpiryWatch(use, logger, registry);
    this.refusedGauge = gauge(
      registry,
      'tls_files_refused',
      'Whether TLS files have changed to something that cannot be used (1), so that the ones before stay in force.',
      ['use'],
    );
    try {
      this.material = this.read();
      this.expiry.watch(this.check(this.material));
    } catch (error) {
      const member = `the TLS files ${pathsOf(paths).join(', ')}`;
      throw new ConfigError('invalid_configuration', [{ member, problem: (error as Error).message }]);
    }
    this.expiry.look(Date.now());
    this.refusedGauge.set({ use }, 0);
    this.watch = new FileWatch({
      files: pathsOf(paths),
      look: this.look,
      logger,
      everyMs: options.lookEveryMs,
    });
  }

  /** Active material. */
  get current(): TlsMaterial<P> {
    return this.material;
  }

  onRenewal(listener: (material: TlsMaterial<P>) => void): void {
    this.listeners.push(listener);
  }

  /** Reads the files now. */
  readonly look = (): void => {
    try {
      const found = this.read();
      if (!this.isInForce(found)) this.take(found);
      this.refused = undefined;
    } catch (error) {
      this.refuse((error as Error).message);
    }
    this.refusedGauge.set({ use: this.options.use }, this.refused?.said === true ? 1 : 0);
    this.expiry.look(Date.now());
  };

  close(): void {
    this.watch.close();
    this.expiry.close();
    this.refusedGauge.remove({ use: this.options.use });
  }

  private read(): TlsMaterial<P> {
    const contents = Object.entries(this.options.paths).map(([member, path]) => [
      member,
      path === undefined ? undefined : readFileSync(path as string),
    ]);
    return Object.fromEntries(contents) as TlsMaterial<P>;
  }

  private isInForce(found: TlsMaterial): boolean {
    const current = this.material as TlsMaterial;
    return MEMBERS.every((member) => String(found[member]) === String(current[member]));
  }

  private take(found: TlsMaterial<P>): void {
    this.expiry.watch(this.check(found));
    this.material = found;
    const { cert } = found as TlsMaterial;
    const own = cert === undefined ? {} : validityOf(certificatesIn(cert)[0]!);
    this.options.logger.info(
      { use: this.options.use, ...own },
      'the TLS files have changed and are in force',
    );
    for (const listener of this.listeners) listener(found);
  }

  /** @throws Error as the rest of a sentence */
  private check(material: TlsMaterial<P>): Validity[] {
    const { cert, key, ca, crl } = material as TlsMaterial;
    const now = Date.now();
    const chain = cert === undefined ? [] : certificatesIn(cert);
    const [leaf] = chain;
    if (cert !== undefined && leaf === undefined) throw new Error('no certificate could be read');
    if (leaf !== undefined && key !== undefined && !leaf.checkPrivateKey(createPrivateKey(key))) {
      throw new Error('the certificate and the private key do not belong together');
    }
    const authorities = ca === undefined ? [] : certificatesIn(ca).map(validityOf);
    const own = chain.map(validityOf);
    const problems = own.map((one) => whyNotInForce(one, now)).filter((problem) => problem !== null);
    const whyNot = authorities.map((one) => whyNotInForce(one, now));
    if (ca !== undefined && !whyNot.includes(null)) {
      problems.push(whyNot.find((problem) => problem !== null) ?? 'no authority could be read');
    }
    const lists = this.options.readLists?.(material) ?? [];
    for (const list of lists) {
      const problem = whyNotInForce(list, now);
      if (problem !== null) problems.push(problem);
    }
    if (problems[0] !== undefined) throw new Error(problems[0]);
    // Anything else that OpenSSL does not accept.
    createSecureContext({ cert, key, ca, ...(crl !== undefined && { crl: revocationListsIn(crl) }) });
    return [...own, ...authorities, ...lists];
  }

  /** Refuses the files; at first it may be a set of which only one file is written yet. */
  private refuse(reason: string): void {
    const now = performance.now();
    if (this.refused?.reason !== reason) this.refused = { reason, since: now, said: false };
    if (this.refused.said) return;
    const left = this.refused.since + RETRY_MS - now;
    if (left > 0) {
      this.watch.lookSoon(left);
      return;
    }
    this.refused.said = true;
    this.options.logger.error(
      { use: this.options.use, reason },
      'the TLS files have changed and cannot be used; the ones before stay in force',
    );
  }
}

const MEMBERS = ['cert', 'key', 'ca', 'crl'] as const satisfies readonly (keyof TlsPaths)[];

function pathsOf(paths: TlsPaths): string[] {
  return MEMBERS.map((member) => paths[member]).filter((path) => path !== undefined);
}
