/** Runs the whole kernel on one machine: embedded servers, development CA, supervised processes. */
export {
  type BuildRecord,
  holdBuild,
  movedOnSince,
  programFolder,
  runningBuild,
  workTree,
} from './build/running-build';
export {
  CertificateAuthority,
  type IssuedCertificate,
  type IssueRequest,
} from './certificates/certificate-authority';
export { type CertificateFiles, type CertificateRequest, DevelopmentCa } from './certificates/development-ca';
export {
  APPROVER_COUNT,
  DEVELOPMENT_CALLERS,
  type DevelopmentApprover,
  type DevelopmentCaller,
  type DevelopmentIdentities,
  developmentSpiffeId,
  KERNEL_CLIENT_COMMON_NAME,
  openDevelopmentIdentities,
} from './certificates/development-identities';
export { writePrivate, writePublic } from './certificates/private-file';
export { DevstackError, type DevstackErrorCode } from './devstack.error';
export {
  DATABASE,
  OWNER_ROLE,
  type PostgresOptions,
  type PostgresLogin,
  type PostgresServer,
  RUNTIME_ROLE,
  startPostgres,
  WORKER_ROLE,
} from './postgres/postgres-server';
export { KAFKA_VERSION, kafkaMissing } from './kafka/kafka-program';
export { type KafkaServer, type KafkaServerOptions, startKafkaServer } from './kafka/kafka-server';
export { OPENBAO_VERSION, openBaoMissing } from './openbao/openbao-program';
export { type OpenBaoOptions, type OpenBaoServer, startOpenBao } from './openbao/openbao-server';
export {
  type ProvisionedTransit,
  provisionTransit,
  signingPolicy,
  transitEnvironment,
} from './openbao/provision-transit';
export { BoundedLog } from './process/bounded-log';
export { type ChildExit, type ChildOptions, type RunningChild, startChild } from './process/child-process';
export { assertPortFree, freePort } from './process/free-port';
export { guardFolder, guardProcess, releaseFolder, releaseProcess } from './process/orphan-guard';
export {
  identityOf,
  isRunning,
  type ProcessIdentity,
  processStart,
  signalProcess,
} from './process/process-identity';
export { type ServiceDefinition, type ServiceState, SupervisedService } from './process/supervised-service';
export { S3_SERVER_VERSION, s3ServerMissing } from './s3/s3-program';
export { type S3Credentials, type S3Server, type S3ServerOptions, startS3Server } from './s3/s3-server';
export { readEnvironmentFile, writeEnvironmentFile, type EnvironmentLine } from './stack/environment-file';
export {
  endLeftovers,
  readRun,
  RunClaim,
  type RunRecord,
  type ServiceRecord,
  untilGone,
} from './stack/run-record';
export {
  type KernelInstance,
  type KernelVariables,
  probe,
  readinessProblem,
  Stack,
  type StackOptions,
  type WorkerInstance,
} from './stack/stack';
export {
  type ArchiveChoice,
  type ArchiveEnvironment,
  ARCHIVES,
  type ForeignBucket,
  type StackArchive,
} from './stack/stack-archive';
export {
  DEFAULT_PORT_BASE,
  MAX_PORT_BASE,
  portsFrom,
  type StackPorts,
  type WorkerPorts,
} from './stack/stack-ports';
export { type SignerChoice, SIGNERS, softHsmModule, type StackSigner } from './stack/stack-signer';
export { type StackStream, type StreamChoice, type StreamEnvironment, STREAMS } from './stack/stack-stream';
export { WORKER_NAMES, type WorkerName } from './stack/worker-apps';
export { type StateChoices, StateFolder, type StateRecord } from './stack/state-folder';
