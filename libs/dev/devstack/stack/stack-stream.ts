import { join } from 'node:path';
import { type KafkaServer, startKafkaServer } from '../kafka/kafka-server';
import { type SupervisedService } from '../process/supervised-service';

export type StreamChoice = 'postgres' | 'kafka';
export const STREAMS: readonly StreamChoice[] = ['postgres', 'kafka'];

/** The variables that say where the stream is. */
export type StreamEnvironment = Readonly<Record<string, string>>;

export interface StackStreamOptions {
  dir: string;
  stream: StreamChoice;
  /** Port of the broker that is started here. */
  port: number;
  /** Existing brokers, used instead. */
  brokers?: readonly string[] | undefined;
  restart: boolean;
  onChange?: ((service: SupervisedService, note: string) => void) | undefined;
}

/** The stream of a stack: nothing to start over PostgreSQL, one broker otherwise. */
export interface StackStream {
  environment: StreamEnvironment;
  server: KafkaServer | undefined;
}

export async function startStream(options: StackStreamOptions): Promise<StackStream> {
  if (options.stream === 'postgres') return { environment: { KERNEL_STREAM: 'postgres' }, server: undefined };
  const server =
    options.brokers === undefined
      ? await startKafkaServer({
          dir: join(options.dir, 'kafka'),
          port: options.port,
          logFile: join(options.dir, 'logs', 'kafka.log'),
          restart: options.restart,
          ...(options.onChange === undefined ? {} : { onChange: options.onChange }),
        })
      : undefined;
  const brokers = server === undefined ? (options.brokers ?? []) : [server.broker];
  return { environment: { KERNEL_STREAM: 'kafka', KAFKA_BROKERS: brokers.join(',') }, server };
}
