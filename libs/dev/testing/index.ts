/** The test harness: real servers with random ports, whole stacks, certificates, fakes of what cannot run here. */
export { EvidenceChain, type TestEvent, TestSigner } from './evidence-chain';
export { FakeAwsKms, type FakeKmsKey, type KmsFault } from './fake-aws-kms';
export { FakeTokenReviews, type ServiceAccount } from './fake-token-reviews';
export { FakeTransit, type FakeTransitKey, type TransitFault } from './fake-transit';
export { FaultyWire } from './faulty-wire';
export { recorded } from './recorded-event';
export { type HttpAnswer, MtlsClient, type RequestOptions } from './mtls-client';
export {
  describeWithSoftHsm,
  generateTokenKey,
  runWithToken,
  softHsmMissing,
  withTokenSession,
} from './softhsm';
export {
  type CreateDatabaseOptions,
  migratedBy,
  type OwnTestPostgres,
  startTestPostgres,
  type TestDatabase,
  type TestPostgres,
  type TestPostgresOptions,
  withOwnPostgres,
  withPostgres,
} from './test-postgres';
export {
  startStack,
  type TestKernel,
  type TestStack,
  type TestStackOptions,
  type TestWorker,
  withStack,
} from './test-stack';
export { ensureBuilt, workTree } from './work-tree';
export {
  CertificateAuthority as TestCa,
  type IssuedCertificate as TestCertificate,
  type IssueRequest as TestCertificateRequest,
} from '#dev/devstack';
export {
  type BucketProtection,
  describeWithS3,
  s3Missing,
  startTestS3,
  type TestBucket,
  type TestS3,
  type TestS3Options,
  withS3,
} from './test-s3';
export {
  describeWithKafka,
  kafkaTestsMissing,
  startTestKafka,
  type TestKafka,
  type TestKafkaOptions,
  withKafka,
} from './test-kafka';
export {
  describeWithOpenBao,
  startTestOpenBao,
  type TestOpenBao,
  type TestOpenBaoOptions,
} from './test-openbao';
export { type ReceivedWebhook, type ReceiverMood, WebhookReceiver } from './webhook-receiver';
export { type Ceremony, SoftwareAuthenticator } from './software-authenticator';
export { BrowserPage, describeWithChromium } from './chromium';
