/** Serves the kernel's API over mutual TLS; binds the modules to each other and to the platform. */
import {
  assertMigrated,
  assertRuntimeRole,
  DataSource,
  EventStore,
  EventStoreError,
} from '#platform/event-store';
import { openConnections } from '#platform/postgres';
import {
  apiPages,
  createServiceApp,
  HttpEdgeError,
  openServerTls,
  PersonAccess,
  RoleAccess,
  RoleBindings,
  type ServiceApp,
  WebAppPages,
} from '#platform/edge';
import { ArchiveError, openArchiveReader } from '#platform/archive';
import { PipelineDurability } from '#platform/audit-stream';
import { PublishedLog } from '#platform/log';
import { ApproverDirectory, FirstPool } from '#modules/governance';
import { assertFoundedAs, KmsRequirement, SigningKeys } from '#modules/key-registry';
import { ModeWatch } from '#modules/modes';
import { People, peopleOptions, PeopleSite } from '#modules/people';
import { IntegrityAlarm, PartitionWatch } from '#platform/kernel-store';
import {
  managementOf,
  processRegistry,
  runApp,
  startManagementServer,
  TlsFiles,
  watchSecrets,
} from '#platform/process';
import { openSigningProxyClient, SignerError } from '#platform/signer';
import { assertGovernanceSettings, webhookEndpoints } from './governance-settings';
import { readAdminUi } from './admin-ui';
import { kernelConfig } from './kernel.config';
import { KernelModule } from './kernel.module';
import { KERNEL_PROBLEMS } from './kernel.problems';
import { openWebhookTargets } from './webhook-targets';

runApp({
  name: 'kernel',
  config: kernelConfig,
  explained: [EventStoreError, HttpEdgeError, SignerError, ArchiveError],
  async start(config, { logger, onStop }) {
    assertGovernanceSettings(config);
    const webhooks = webhookEndpoints(config);
    const unwatch = watchSecrets(
      webhooks.flatMap(({ secretFile }) => secretFile ?? []),
      { logger },
    );
    onStop(async () => unwatch());
    const people = peopleOptions(config);
    const { webTlsCertFile: cert, webTlsKeyFile: key } = config;
    const webTls =
      people === undefined || cert === undefined || key === undefined
        ? undefined
        : new TlsFiles({ use: 'web', paths: { cert, key }, logger });
    onStop(async () => webTls?.close());
    const adminUi = people && (await readAdminUi(config, logger));
    const proxy = openSigningProxyClient(config, { logger, timeoutMs: config.kmsTimeoutMs });
    const tls = openServerTls('service_api', config, logger);
    onStop(async () => tls.close());
    const webhookTargets = openWebhookTargets(config, logger);
    onStop(async () => webhookTargets.close());
    await new KmsRequirement(config).assertAtStart(proxy);
    const archive = await openArchiveReader(config);
    onStop(async () => archive?.close());
    const log = new PublishedLog(archive);
    const roles = new RoleAccess(new RoleBindings(config.roleBindings), (principal) =>
      service.app.get(ApproverDirectory, { strict: false }).isApprover(principal),
    );
    const service: ServiceApp = await createServiceApp(
      KernelModule.register({
        config,
        proxy,
        log,
        registry: processRegistry,
        webhooks,
        webhookTargets,
        people,
        adminUi,
        logger,
      }),
      {
        tls: tls.current,
        access: roles,
        openapiPath: config.openapiPath,
        pages: apiPages(config.openapiPath),
        logger,
        problems: KERNEL_PROBLEMS,
        limits: { bodyBytes: config.bodyLimitBytes },
        registry: processRegistry,
        gate: (app) => {
          const modes = app.get(ModeWatch);
          return { mode: () => modes.current.mode, assertWritable: () => modes.assertWritable() };
        },
        durability: (app) => app.get(PipelineDurability),
        web: async (app) => {
          if (people === undefined) return undefined;
          const signIn = await app.get(PeopleSite, { strict: false }).open();
          return {
            origin: people.origin,
            access: new PersonAccess(roles, app.get(People, { strict: false }), people.origin),
            site: adminUi === undefined ? signIn : new WebAppPages(adminUi).before(signIn),
            tls: webTls?.current,
          };
        },
      },
    );
    tls.onRenewal((renewed) => service.renewTls(renewed));
    webTls?.onRenewal((renewed) => service.web?.renewTls(renewed));
    const { app } = service;
    const { origin, shards } = config;
    await assertRuntimeRole(app.get(DataSource));
    // While the store is filled from the archive, its first event may come after others.
    if (!app.get(ModeWatch).current.restoring) {
      await assertFoundedAs(app.get(EventStore, { strict: false }), { origin, shards });
    }
    await openConnections(app.get(DataSource));

    // Before /ready can be asked: green must mean that a caller who comes now is answered.
    const port = await service.listen(config.apiPort, config.apiHost);
    const webPort = await service.web?.listen(config.webPort ?? 0, config.webHost);
    const management = await startManagementServer({
      ...managementOf(config),
      logger,
      registry: processRegistry,
      checks: {
        postgres: async () => assertMigrated(app.get(DataSource), { origin, shards }),
        clock: async () => {
          const problem = await app.get(EventStore).clockProblem();
          if (problem !== null) throw new Error(problem);
        },
        // Every mode serves reads, and all replicas share it: taking them out of service would turn a mode into an
        // outage. Reads are wrong only while the store is rebuilt, because it does not hold all events yet.
        mode: async () => {
          const { mode, restoring, since } = app.get(ModeWatch).current;
          if (restoring) {
            throw new Error(
              'the store is being rebuilt from the archive (./kernel replay --from archive --to store)',
            );
          }
          return await Promise.resolve({ mode, since });
        },
        signing_proxy: async () => {
          // Nothing is signed then; a kernel that is read-only because the HSM is away is as ready as it can be.
          if (app.get(ModeWatch).current.mode !== 'normal') return;
          const { ok, backends } = await proxy.health();
          if (!ok) throw new Error(backends.map(({ name, detail }) => `${name}: ${detail}`).join('; '));
          const problem = app.get(SigningKeys, { strict: false }).problem();
          if (problem !== null) throw new Error(problem);
        },
        // A detail and never red: whoever forges a row must not be able to take every replica out of service with it.
        integrity: async () => {
          const { found, latest } = app.get(IntegrityAlarm).state;
          return await Promise.resolve(latest === null ? undefined : { found, ...latest });
        },
        // A detail for the same reason: until the room is used up everything works, in every replica.
        partitions: async () => {
          const { tightest, failure } = app.get(PartitionWatch).state;
          const detail = { ...tightest, ...(failure !== null && { failure }) };
          return await Promise.resolve(tightest === null && failure === null ? undefined : detail);
        },
        approver_pool: async () => {
          const problem = app.get(FirstPool, { strict: false }).problem();
          if (problem !== null && app.get(ModeWatch).current.mode === 'normal') throw new Error(problem);
          return await Promise.resolve();
        },
      },
    });
    logger.info({ port, webPort, managementPort: management.port, origin }, 'kernel listens');

    onStop(async () => {
      management.drain();
      await service.close();
      await management.close();
    });
  },
});
