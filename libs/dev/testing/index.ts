/** The test harness: real servers with random ports, whole stacks, certificates, fakes of what cannot run here. */
export { fakesOfAuditKeyThief, RobbedKernel, type Fake, type NamedTrust } from './audit-key-thief';
export { ChainLog, signedLine, TestWitness, type CheckpointParts } from './chain-log';
export { fakesOfUpgradeThief, type FakesOfUpgrade, type FakeUpgrade } from './upgrade-evidence-fakes';
export {
  envelopeJson,
  fixedSigner,
  TestApprovers,
  UpgradedKernel,
  type UpgradedKernelParts,
} from './upgraded-kernel';
export { LoggedKernel } from './logged-kernel';
export { fakesOfManifest, fakesOfReceipt, type FakeManifest, type FakeReceipt } from './receipt-fakes';
export { verifyEvidence, type EvidenceOptions } from './verify-evidence';
export { describeWith, nightly } from './describe-with';
export { EvidenceChain, TestSigner } from './evidence-chain';
export { FakeAwsKms } from './fake-aws-kms';
export { FakeTokenReviews } from './fake-token-reviews';
export { FakeTransit } from './fake-transit';
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
  migratedBy,
  startTestPostgres,
  type TestDatabase,
  type TestPostgres,
  withOwnPostgres,
  withPostgres,
} from './test-postgres';
export { StoreConsumer } from './store-consumer';
export { startStack, type TestStack, type TestWorker, withStack } from './test-stack';
export { ensureBuilt, workTree } from './work-tree';
export {
  CertificateAuthority as TestCa,
  type IssuedCertificate as TestCertificate,
  type IssueRequest as TestCertificateRequest,
} from '#dev/devstack';
export { clockApart, describeWithFaketime } from './faketime';
export { describeWithS3, s3Missing, startTestS3, type TestBucket, withS3 } from './test-s3';
export {
  describeWithKafka,
  kafkaTestsMissing,
  startTestKafka,
  type TestKafka,
  withKafka,
} from './test-kafka';
export { type CollectedSpan, describeWithCollector, TestCollector } from './test-collector';
export {
  type QueriedExemplar,
  type QueriedSeries,
  type ScrapeTarget,
  TestPrometheus,
} from './test-prometheus';
export { describeWithPrometheus, prometheusMissing, prometheusProgram } from './prometheus-programs';
export { describeWithOpenBao, startTestOpenBao, type TestOpenBao } from './test-openbao';
export { type ReceivedWebhook, WebhookReceiver } from './webhook-receiver';
export { type Ceremony, SoftwareAuthenticator } from './software-authenticator';
export { BrowserPage, chromiumMissing, describeWithChromium } from './chromium';
export { type DrivenPage } from './driven-page';
export { describeWithFirefox, FirefoxPage } from './firefox';
export { type OpenPage, PeopleAtBrowsers, type ViewOptions } from './people-at-browsers';
export { addVirtualPasskey, type VirtualPasskey } from './virtual-passkey';
export {
  describeWithKeycloak,
  KEYCLOAK_START_MS,
  startTestKeycloak,
  type TestKeycloak,
} from './test-keycloak';
export { SessionClient, TestBrowser } from './test-browser';
export { FAILING_DIGEST, NEVER_READY_DIGEST } from './cluster/fake-kubelet';
export { KubeClient, type ProgramResult } from './cluster/kube-client';
export {
  customResourceDefinitions,
  describeWithKube,
  kubeClientMissing,
  kubeMissing,
  kubeProgram,
} from './cluster/kube-programs';
export { startTestCluster, type TestCluster, withCluster } from './cluster/test-cluster';
