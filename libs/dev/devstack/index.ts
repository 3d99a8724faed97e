/** Runs the whole kernel on one machine: embedded servers, development CA, supervised processes. */
export {
  type BuildRecord,
  compileCache,
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
export { type CertificateFiles, DevelopmentCa } from './certificates/development-ca';
export {
  APPROVER_COUNT,
  DEVELOPMENT_CALLERS,
  type DevelopmentCaller,
  type DevelopmentIdentities,
  developmentSpiffeId,
  KERNEL_CLIENT_COMMON_NAME,
  openDevelopmentIdentities,
} from './certificates/development-identities';
export { DevstackError } from './devstack.error';
export { type PostgresLogin, type PostgresServer, startPostgres } from './postgres/postgres-server';
export {
  DEVELOPMENT_PEOPLE,
  DEVELOPMENT_ROLES,
  type DevelopmentPerson,
} from './identity-provider/development-people';
export {
  type DevelopmentProvider,
  type DevelopmentProviderOptions,
  startDevelopmentProvider,
} from './identity-provider/development-provider';
export { DEVELOPMENT_CLIENT_ID } from './identity-provider/development-provider-client';
export {
  type IdentityProviderSecrets,
  newSigningKey,
  openIdentityProviderSecrets,
} from './identity-provider/identity-provider-secrets';
export { type StackIdentityProvider } from './identity-provider/identity-provider-service';
export { kafkaMissing } from './kafka/kafka-program';
export { type KafkaServer, type KafkaServerOptions, startKafkaServer } from './kafka/kafka-server';
export { OPENBAO_VERSION, openBaoMissing, openBaoProgram } from './openbao/openbao-program';
export { type OpenBaoServer, startOpenBao } from './openbao/openbao-server';
export {
  type ProvisionedTransit,
  provisionTransit,
  signingPolicy,
  transitEnvironment,
} from './openbao/provision-transit';
export { BoundedLog } from './process/bounded-log';
export { type RunningChild, startChild } from './process/child-process';
export { assertPortFree, freePort, freePortBase } from './process/free-port';
export { guardFolder, guardProcess, releaseFolder } from './process/orphan-guard';
export {
  identityOf,
  isRunning,
  type ProcessIdentity,
  processStart,
  signalProcess,
} from './process/process-identity';
export { userCache } from './process/user-cache';
export { SupervisedService } from './process/supervised-service';
export { s3ServerMissing } from './s3/s3-program';
export { type S3Credentials, type S3Server, startS3Server } from './s3/s3-server';
export { readEnvironmentFile, writeEnvironmentFile, type EnvironmentLine } from './stack/environment-file';
export { endLeftovers, readRun, RunClaim, type RunRecord, untilGone } from './stack/run-record';
export { type KernelVariables, probe, readinessProblem, Stack } from './stack/stack';
export {
  type ArchiveChoice,
  type ArchiveEnvironment,
  ARCHIVES,
  type ForeignBucket,
} from './stack/stack-archive';
export { DEFAULT_PORT_BASE, MAX_PORT_BASE, portsFrom, type StackPorts } from './stack/stack-ports';
export { type SignerChoice, SIGNERS, softHsmModule } from './stack/stack-signer';
export { type StreamChoice, type StreamEnvironment, STREAMS } from './stack/stack-stream';
export { type WorkerName } from './stack/worker-apps';
export { type StateChoices, StateFolder, type StateRecord } from './stack/state-folder';
export { BARMAN_VERSION, backupToolsFolder, backupToolsMissing } from './backup/backup-tools';
export { type BarmanOutcome, type BarmanRun, runBarman } from './backup/run-barman';
export { type BackupBucket, type WalCommands, writeWalCommands } from './backup/wal-commands';
export { recoverCluster, type RecoveredCluster } from './postgres/recovered-cluster';
export {
  archiveNewTimeline,
  checkPages,
  emptyFolder,
  folderToRestore,
  type RestoreFolder,
} from './postgres/restore-folder';
