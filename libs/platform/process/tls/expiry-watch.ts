import { Gauge, register, type Registry } from 'prom-client';
import { type Logger } from '../logs/logger';
import { type Validity } from './certificates';

const DAY_MS = 24 * 60 * 60 * 1000;
/** Time before its end from which a certificate is logged, once a day. */
export const WARN_BEFORE_MS = 14 * DAY_MS;
/** A revocation list lives for days at most, so the last part of its life counts. */
const LIST_WARN_PART = 1 / 4;
/** An ended list keeps everyone out; its issuer may have more than one to renew. */
const ENDED_LIST_EVERY_MS = 60 * 60 * 1000;
/** An authorities file may be a whole distribution's bundle. */
const MAX_SERIES = 50;
const MAX_LABEL = 128;

/** Shows in metrics when certificates and revocation lists expire, and logs those that will soon. */
export class ExpiryWatch {
  private watched: readonly Validity[] = [];
  /** Last log time of each. */
  private logged = new Map<string, number>();
  private readonly certificates: Gauge;
  private readonly lists: Gauge;

  constructor(
    /** Use of the files, as the label `use`: `service_api`, `signing_proxy_client`. */
    private readonly use: string,
    private readonly logger: Logger,
    registry: Registry = register,
  ) {
    this.certificates = gauge(
      registry,
      'tls_certificate_expiry_timestamp_seconds',
      'When a certificate ends that is in force here.',
      ['use', 'subject', 'serial'],
    );
    this.lists = gauge(
      registry,
      'tls_revocation_list_expiry_timestamp_seconds',
      'When a revocation list ends (nextUpdate); after that no client of its issuer gets a new connection.',
      ['use', 'subject'],
    );
  }

  /** Watches what is active from now on instead of what was before. */
  watch(validities: readonly Validity[]): void {
    for (const one of this.watched) this.gaugeOf(one).remove(this.labels(one));
    this.watched = [...validities].sort((a, b) => a.to - b.to).slice(0, MAX_SERIES);
    for (const one of this.watched) this.gaugeOf(one).set(this.labels(one), one.to / 1000);
    const ids = new Set(this.watched.map(idOf));
    this.logged = new Map([...this.logged].filter(([id]) => ids.has(id)));
  }

  /** Logs what expires soon or has expired, and was not logged within the last day. */
  look(now: number): void {
    for (const one of this.watched) {
      const ended = one.to <= now;
      const isList = one.kind === 'revocation list';
      const early = isList ? (one.to - one.from) * LIST_WARN_PART : WARN_BEFORE_MS;
      if (one.to - now > early) continue;
      const id = idOf(one);
      const since = now - (this.logged.get(id) ?? -Infinity);
      if (since < (isList && ended ? ENDED_LIST_EVERY_MS : DAY_MS)) continue;
      this.logged.set(id, now);
      const fields = { use: this.use, subject: one.subject, serial: one.serial, ends: new Date(one.to) };
      const days = Math.max(0, Math.floor((one.to - now) / DAY_MS));
      if (!ended) this.logger.warn(fields, `a ${one.kind} ends in ${days} days; renew it`);
      else if (isList) {
        this.logger.error(
          fields,
          'a revocation list has ended, and its clients are refused; publish a new one',
        );
      } else this.logger.error(fields, 'a certificate has ended; renew it or take it out of the file');
    }
  }

  /** Removes its series from the metrics. */
  close(): void {
    this.watch([]);
  }

  private gaugeOf({ kind }: Validity): Gauge {
    return kind === 'certificate' ? this.certificates : this.lists;
  }

  private labels({ kind, subject, serial }: Validity): Record<string, string> {
    const labels = { use: this.use, subject: subject.slice(0, MAX_LABEL) };
    return kind === 'certificate' ? { ...labels, serial } : labels;
  }
}

function idOf({ kind, subject, serial, to }: Validity): string {
  return [kind, subject, serial, to].join('|');
}

/** Returns the gauge of this name: the files of several uses share one. */
export function gauge(registry: Registry, name: string, help: string, labelNames: string[]): Gauge {
  const existing = registry.getSingleMetric(name);
  return existing instanceof Gauge ? existing : new Gauge({ name, help, labelNames, registers: [registry] });
}
