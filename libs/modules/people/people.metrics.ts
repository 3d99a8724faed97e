import { Injectable } from '@nestjs/common';
import { Counter, Gauge, Registry } from '#platform/process';

/** Metrics of sign-in for Prometheus. Labels are words of this program, never a person or a provider's text. */
@Injectable()
export class PeopleMetrics {
  private readonly signIns: Counter<'outcome'>;
  private readonly ends: Counter<'reason'>;
  private readonly lost: Counter<'event'>;
  private readonly provider: Counter<'request'>;
  private readonly known: Gauge;

  constructor(registry: Registry) {
    const registers = [registry];
    this.signIns = new Counter({
      name: 'kernel_sign_ins_total',
      help: 'Sign-ins of people by outcome: opened, or the reason of the refusal.',
      labelNames: ['outcome'],
      registers,
    });
    this.ends = new Counter({
      name: 'kernel_sessions_closed_total',
      help: 'Sessions of people that ended, by reason.',
      labelNames: ['reason'],
      registers,
    });
    this.lost = new Counter({
      name: 'kernel_session_events_unrecorded_total',
      help: 'Refusals and ends of sessions that are not in the chain, because nothing could be signed or there were too many.',
      labelNames: ['event'],
      registers,
    });
    this.provider = new Counter({
      name: 'kernel_oidc_failures_total',
      help: 'Requests to the identity provider that failed, by what was asked.',
      labelNames: ['request'],
      registers,
    });
    this.known = new Gauge({
      name: 'kernel_oidc_provider_known',
      help: '1 when the identity provider has said where its endpoints are, 0 until then.',
      registers,
    });
  }

  opened(): void {
    this.signIns.inc({ outcome: 'opened' });
  }
  refused(reason: string): void {
    this.signIns.inc({ outcome: reason });
  }
  closed(reason: string): void {
    this.ends.inc({ reason });
  }
  unrecorded(event: 'refused' | 'closed'): void {
    this.lost.inc({ event });
  }
  providerFailed(request: 'discovery' | 'token' | 'keys'): void {
    this.provider.inc({ request });
  }
  providerKnown(): void {
    this.known.set(1);
  }
}
