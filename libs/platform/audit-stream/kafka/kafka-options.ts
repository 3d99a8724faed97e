import { type SASLOptions } from 'kafkajs';
import { type TlsRenewals } from '#platform/process';

/** How to reach a Kafka cluster. */
export interface KafkaConnection {
  /** host:port of some of the brokers; these name the others. */
  readonly brokers: readonly string[];
  /** Shown in the broker's logs and quotas. */
  readonly clientId: string;
  /** PEM; without it, no TLS. Its members are read for each new connection: they may be renewed. */
  readonly tls?: {
    /** The authorities of the brokers' certificates; default: those that the system knows. */
    readonly ca?: Buffer | undefined;
    /** The client's own certificate, where the brokers ask for one. */
    readonly cert?: Buffer | undefined;
    readonly key?: Buffer | undefined;
  };
  /** Where the members of `tls` come from; closed with the user of the connection. */
  readonly renewals?: Pick<TlsRenewals, 'close'>;
  readonly sasl?: SASLOptions;
}

/** TCP and TLS to one broker. */
export const CONNECT_TIMEOUT_MS = 3_000;
/** A connected broker that does not answer for so long is abandoned: another one may be the leader by then. */
export const REQUEST_TIMEOUT_MS = 10_000;
/** kafkajs also answers its own failed connections to a list of brokers with these. */
export const CONNECT_RETRY = { initialRetryTime: 50, maxRetryTime: 1_000 } as const;
