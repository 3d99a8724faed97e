import { type SASLOptions } from 'kafkajs';
import { type TlsRenewals } from '#platform/process';

/** How to reach a Kafka cluster. */
export interface KafkaConnection {
  /** host:port of some of the brokers; they name the others. */
  readonly brokers: readonly string[];
  /** Shown in the broker's logs and quotas. */
  readonly clientId: string;
  /** Left out: without TLS. PEM. Its members are read for each new connection: they may be renewed. */
  readonly tls?: {
    /** The authorities that the brokers' certificates come from; left out: those that the system knows. */
    readonly ca?: Buffer | undefined;
    /** The client's own certificate, where the brokers ask for one. */
    readonly cert?: Buffer | undefined;
    readonly key?: Buffer | undefined;
  };
  /** Where the members of `tls` come from; closed with whoever uses the connection. */
  readonly renewals?: Pick<TlsRenewals, 'close'>;
  readonly sasl?: SASLOptions;
}

/** TCP and TLS to one broker. */
export const CONNECT_TIMEOUT_MS = 3_000;
/** A broker that is connected and does not answer for so long is given up: another one may lead by then. */
export const REQUEST_TIMEOUT_MS = 10_000;
/** kafkajs also answers its own failed connections to a list of brokers with these. */
export const CONNECT_RETRY = { initialRetryTime: 50, maxRetryTime: 1_000 } as const;
