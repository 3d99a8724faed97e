/**
 * The parts of kafkajs below its consumer groups that this lib uses. kafkajs does not export them; its version is fixed
 * in package.json for that reason (docs/adr/0070).
 */
declare module 'kafkajs/src/cluster' {
  import { type ISocketFactory, type Logger, type RetryOptions, type SASLOptions } from 'kafkajs';
  import { type ConnectionOptions } from 'node:tls';

  interface ClusterOptions {
    logger: Logger;
    socketFactory: ISocketFactory;
    brokers: string[];
    ssl?: ConnectionOptions;
    sasl?: SASLOptions;
    clientId: string;
    connectionTimeout: number;
    authenticationTimeout: number;
    requestTimeout: number;
    enforceRequestTimeout: boolean;
    metadataMaxAge: number;
    retry: RetryOptions;
    allowAutoTopicCreation: boolean;
    maxInFlightRequests: number | null;
  }

  interface FetchedMessage {
    offset: string;
    key: Buffer | null;
    value: Buffer | null;
    headers?: Readonly<Record<string, Buffer | undefined>>;
    isControlRecord?: boolean;
  }

  interface FetchResponse {
    responses: {
      topicName: string;
      partitions: { partition: number; highWatermark: string; messages: FetchedMessage[] }[];
    }[];
  }

  interface Broker {
    fetch(request: {
      isolationLevel: 0 | 1;
      maxWaitTime: number;
      minBytes: number;
      maxBytes: number;
      topics: {
        topic: string;
        partitions: { partition: number; fetchOffset: string; maxBytes: number }[];
      }[];
    }): Promise<FetchResponse>;
    listOffsets(request: {
      isolationLevel: 0 | 1;
      topics: { topic: string; partitions: { partition: number; timestamp: number }[] }[];
    }): Promise<{ responses: { topic: string; partitions: { partition: number; offset: string }[] }[] }>;
    offsetCommit(request: {
      groupId: string;
      groupGenerationId: number;
      memberId: string;
      topics: { topic: string; partitions: { partition: number; offset: string }[] }[];
    }): Promise<unknown>;
  }

  class Cluster {
    constructor(options: ClusterOptions);
    connect(): Promise<void>;
    disconnect(): Promise<void>;
    /** Fetches the metadata of the topics, and keeps it. */
    addMultipleTargetTopics(topics: string[]): Promise<void>;
    findTopicPartitionMetadata(topic: string): { partitionId: number; leader: number }[];
    findBroker(of: { nodeId: number | string }): Promise<Broker>;
    findGroupCoordinator(of: { groupId: string }): Promise<Broker>;
  }
  export = Cluster;
}

declare module 'kafkajs/src/network/requestQueue' {
  class RequestQueue {
    readonly pending: unknown[];
    scheduleCheckPendingRequests: (this: RequestQueue) => void;
  }
  export = RequestQueue;
}
