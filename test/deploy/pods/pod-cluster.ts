import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { guardFolder, releaseFolder } from '#dev/devstack';
import { MtlsClient, TestCa, workTree } from '#dev/testing';
import { type KubeObject, RELEASE, RenderedChart } from '../rendered-chart';
import { Platform } from './platform';
import { PodBridge } from './pod-bridge';
import { containerOf, type PodSpec, portOf, readPodSpec } from './pod-spec';
import { type Files } from './pod-volumes';
import { type PodNode, RunningPod } from './running-pod';

const NAMESPACE = `${RELEASE}-production`;
const HOUR_MS = 3_600_000;
const API = 'kernel-api.example.com';
const COMPONENTS = [
  'signing-proxy',
  'kernel',
  'outbox-relay',
  'indexer',
  'archiver',
  'log-publisher',
  'auditor',
] as const;
export type Component = (typeof COMPONENTS)[number];
/** Those that run before there is a trust root. */
const FOUNDERS: readonly Component[] = ['signing-proxy', 'kernel'];

/** The chart's release for production, its pods run by podman: what Helm, the controllers and the kubelet do, as far as it shows. */
export class PodCluster {
  private chart: RenderedChart;
  private readonly deployments = new Map<Component, RunningPod[]>();
  /** What the pods of each Deployment were made from. */
  private readonly templates = new Map<Component, string>();
  private readonly certificates = new Map<string, Files>();
  private readonly configMaps = new Map<string, Files>();
  private readonly clients: MtlsClient[] = [];
  private readonly node: PodNode;

  private constructor(
    readonly dir: string,
    readonly platform: Platform,
    bridge: PodBridge,
    private image: string,
  ) {
    this.chart = RenderedChart.of('production', this.valuesOf(true));
    this.node = {
      bridge,
      dir: join(dir, 'pods'),
      hosts: platform.hosts,
      sources: {
        configMap: (name) => this.configMap(name),
        secret: (name) => {
          const found = this.certificates.get(name);
          if (found === undefined) throw new Error(`there is no Secret ${name}`);
          return found;
        },
        secretsOf: (name, account) => platform.readClass(this.object('SecretProviderClass', name), account),
        token: (account, audience, seconds) => platform.token(account, audience, seconds),
      },
      environmentOf: (spec) => {
        const { env, envFrom } = containerOf(spec);
        return Object.assign(
          {},
          ...envFrom.map(({ configMapRef: { name } }) => this.configMap(name)),
          Object.fromEntries(env.map(({ name, value }) => [name, value])),
        ) as Record<string, string>;
      },
    };
  }

  /**
   * The platform's servers, secrets, certificates and Services; no pod yet.
   * @param image runs wherever the chart names one
   * @param options.commonNames servers' certificates have the first of their names as common name, as some issuers give it to them;
   *   default: they have no subject
   */
  static async prepare(image: string, { commonNames = false } = {}): Promise<PodCluster> {
    const dir = await mkdtemp(join(tmpdir(), 'kernel-test-pods-'));
    guardFolder(dir);
    await chmod(dir, 0o755);
    const bridge = await PodBridge.open(dir);
    const platform = await Platform.start(dir, bridge);
    const cluster = new PodCluster(dir, platform, bridge, image);
    cluster.configMaps.set('platform-authorities', await platform.authorities());
    await platform.store(cluster.chart.of('SecretProviderClass'));
    await cluster.issueCertificates(commonNames);
    await cluster.openServices();
    return cluster;
  }

  /** Runs the migration's Job. @returns its exit code, and what it printed */
  async migrate(): Promise<{ code: number | null; said: string }> {
    const pod = await RunningPod.start(this.specOf('migrate'), this.image, this.node);
    const code = await pod.ended();
    return { code, said: pod.said() };
  }

  /** The very first start: kernels and proxies alone, until there is a trust root. */
  async found(): Promise<void> {
    for (const component of FOUNDERS) await this.scaleUp(component);
    const { json } = await (await this.client('audit.example.com')).get('/kernel/keys/signers.json');
    const signers = JSON.stringify(json);
    this.configMaps.set('kernel-trust-root', { 'signers.json': signers });
    await writeFile(this.trustRoot, signers);
    this.chart = RenderedChart.of('production', this.valuesOf(false));
  }

  /** Every process of the release, with the trust root. @returns exit codes of the pods that were replaced */
  async upgrade(image = this.image): Promise<Map<RunningPod, number | null>> {
    this.use(image);
    const ended = new Map<RunningPod, number | null>();
    for (const component of COMPONENTS) {
      if (this.templates.get(component) === this.templateOf(component)) continue;
      if (this.pods(component).length === 0) await this.scaleUp(component);
      else for (const [pod, code] of await this.roll(component)) ended.set(pod, code);
    }
    return ended;
  }

  /** Whatever starts from now on is of this image. */
  use(image: string): void {
    this.image = image;
  }

  pods(component: Component): readonly RunningPod[] {
    return this.deployments.get(component) ?? [];
  }

  get components(): readonly Component[] {
    return COMPONENTS;
  }

  all(): readonly RunningPod[] {
    return COMPONENTS.flatMap((component) => this.pods(component));
  }

  /** File of the trust root. */
  get trustRoot(): string {
    return join(this.dir, 'signers.json');
  }

  /** A caller of the API by its Service, with a certificate of the callers' authority. */
  async client(commonName: string): Promise<MtlsClient> {
    const { cert, key } = await this.platform.callerCertificate(commonName);
    const file = (name: string) => join(this.dir, `${commonName}.${name}`);
    await writeFile(file('crt'), cert);
    await writeFile(file('key'), key, { mode: 0o600 });
    await writeFile(file('ca'), this.certificates.get(`${RELEASE}-kernel-server`)?.['ca.crt'] ?? '');
    const address = this.platform.hosts.get(API);
    if (address === undefined) throw new Error(`there is no Service ${API}`);
    const client = new MtlsClient(`https://${API}:8443`, {
      ca: file('ca'),
      identity: { cert: file('crt'), key: file('key') },
      address,
    });
    this.clients.push(client);
    return client;
  }

  /** Runs the verifier over a source of events, with nothing but the trust root. */
  async verify(source: 'archive' | 'database'): Promise<{ code: number; stdout: string; stderr: string }> {
    const { s3, environment, databaseUrl } = this.platform.verifierSources;
    const args = source === 'archive' ? s3 : ['--database-url', databaseUrl];
    return await promisify(execFile)(
      process.execPath,
      [join(workTree(), 'tools/audit-verify.js'), '--signers', this.trustRoot, ...args, '--json'],
      { env: { ...environment }, maxBuffer: 2 ** 26 },
    ).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({
        code,
        stdout,
        stderr,
      }),
    );
  }

  /** What all containers have written, those that are gone included. */
  async logs(): Promise<string> {
    const folder = join(this.node.dir, 'containers');
    const names = (await readdir(folder)).filter((name) => name.endsWith('.log'));
    return (await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))).join('');
  }

  async stop(): Promise<void> {
    for (const client of this.clients) await client.close();
    await Promise.all(this.all().map((pod) => pod.remove()));
    await this.platform.stop();
    await this.node.bridge.close();
    await rm(this.dir, { recursive: true, force: true });
    releaseFolder(this.dir);
  }

  private valuesOf(isFounding: boolean): object {
    return { ...this.platform.values, ...(isFounding && { founding: true, trustRoot: {} }) };
  }

  private async scaleUp(component: Component): Promise<void> {
    const { replicas } = this.object('Deployment', `${RELEASE}-${component}`)['spec'];
    const started: RunningPod[] = [];
    this.deployments.set(component, started);
    this.templates.set(component, this.templateOf(component));
    // One after the other, since many at once take longer on two cores than they wait for each other.
    for (let n = 0; n < replicas; n += 1) {
      const pod = await RunningPod.start(this.specOf(component), this.image, this.node);
      started.push(pod);
      await pod.whenReady();
    }
  }

  /** Replaces each pod as the Deployment's strategy says. @returns the exit codes of those before */
  private async roll(component: Component): Promise<Map<RunningPod, number | null>> {
    const { strategy } = this.object('Deployment', `${RELEASE}-${component}`)['spec'];
    const old = [...this.pods(component)];
    const pods = [...old];
    this.deployments.set(component, pods);
    this.templates.set(component, this.templateOf(component));
    const leaving: Promise<[RunningPod, number | null]>[] = [];
    const leave = (pod: RunningPod): Promise<[RunningPod, number | null]> => {
      pods.splice(pods.indexOf(pod), 1);
      return pod.terminate().then((code) => [pod, code]);
    };
    const isReplaced = strategy.type === 'Recreate';
    for (const pod of old) {
      if (isReplaced) {
        leaving.push(leave(pod));
        await Promise.all(leaving);
      }
      const next = await RunningPod.start(this.specOf(component), this.image, this.node);
      pods.push(next);
      await next.whenReady();
      // One more than wanted at most, and none less: the old one leaves once the new one is ready, and is not waited for.
      if (!isReplaced) leaving.push(leave(pod));
    }
    return new Map(await Promise.all(leaving));
  }

  /** A Deployment whose template and image stay as they are keeps its pods. */
  private templateOf(component: Component): string {
    const { template } = this.object('Deployment', `${RELEASE}-${component}`)['spec'];
    return JSON.stringify([this.image, template]);
  }

  private specOf(component: Component | 'migrate'): PodSpec {
    return readPodSpec(this.chart.pods().get(component));
  }

  private object(kind: string, name: string): KubeObject {
    const found = this.chart.of(kind).find(({ metadata }) => metadata.name === name);
    if (found === undefined) throw new Error(`the chart has no ${kind} ${name}`);
    return found;
  }

  private configMap(name: string): Files {
    return this.configMaps.get(name) ?? (this.object('ConfigMap', name)['data'] as Files);
  }

  /** As cert-manager does: each Certificate of the chart becomes a Secret. */
  private async issueCertificates(commonNames: boolean): Promise<void> {
    const own = await TestCa.create('illuvrse-kernel-production', {
      notAfter: new Date(Date.now() + 72 * HOUR_MS),
    });
    for (const { spec } of this.chart.of('Certificate')) {
      const authority =
        spec.issuerRef.name === 'illuvrse-kernel-callers' ? this.platform.callersAuthority : own;
      const commonName: string | undefined = spec.commonName ?? (commonNames ? spec.dnsNames[0] : undefined);
      const issued = await authority.issue({
        subject: commonName === undefined ? [] : [{ CN: [commonName] }],
        names: (spec.dnsNames ?? []).map((value: string) => ({ type: 'dns', value })),
        usage: spec.usages.includes('server auth') ? 'server' : 'client',
        notAfter: new Date(Date.now() + Number.parseInt(spec.duration, 10) * HOUR_MS),
      });
      this.certificates.set(spec.secretName, {
        'tls.crt': issued.cert,
        'tls.key': issued.key,
        'ca.crt': authority.cert,
      });
    }
  }

  /** Each Service of the chart that has an address: its ports lead to the ready pods of its component. */
  private async openServices(): Promise<void> {
    for (const { metadata, spec } of this.chart.of('Service')) {
      if (spec.clusterIP === 'None') continue;
      const component = spec.selector['app.kubernetes.io/component'] as Component;
      const names = [`${metadata.name}.${NAMESPACE}.svc`];
      if (metadata.name === `${RELEASE}-api`) names.push(API);
      await this.platform.openService(
        names,
        spec.ports.map(({ port, targetPort }: { port: number; targetPort: string }) => ({
          port,
          endpoints: () =>
            this.pods(component)
              .filter(({ isReady }) => isReady)
              .map((pod) => ({ host: pod.address, port: portOf(pod.spec, targetPort) })),
        })),
      );
    }
  }
}
