import { describeWith, kubeClientMissing } from '#dev/testing';
import { ENVIRONMENTS, type KubeObject, RenderedChart } from '../rendered-chart';
import { bytes, containerOf, cores, podmanArguments, portOf, readPodSpec } from './pod-spec';

const PROCESSES = [
  'kernel',
  'signing-proxy',
  'outbox-relay',
  'indexer',
  'archiver',
  'log-publisher',
  'auditor',
];

/** As JSON, so that a test may change it. */
function rendered(component: string): KubeObject {
  return structuredClone(RenderedChart.of('production').pods().get(component)) as unknown as KubeObject;
}
const folders = new Map(
  ['config', 'secrets', 'authorities', 'tls', 'client', 'vault-token'].map((name) => [name, `/pod/${name}`]),
);

describeWith({ missing: kubeClientMissing() }, 'a pod of the chart as podman runs it', () => {
  it.each(ENVIRONMENTS)('is nothing that podman does not know, in %s', (environment) => {
    const pods = RenderedChart.of(environment).pods();
    for (const component of [...PROCESSES, 'migrate']) {
      expect(containerOf(readPodSpec(pods.get(component))).args).toEqual([component]);
    }
  });

  it('has the user, the limits and the volumes of the pod, and no more rights than it', () => {
    const spec = readPodSpec(rendered('signing-proxy'));
    expect(podmanArguments(spec, folders)).toEqual([
      '--read-only',
      '--read-only-tmpfs=false',
      '--cap-drop=ALL',
      '--security-opt=no-new-privileges',
      '--user=65532:65532',
      '--cpus=1',
      '--cpu-shares=256',
      '--memory=536870912',
      '--memory-swap=536870912',
      '--tmpfs=/tmp:rw,size=67108864,mode=1777',
      '--volume=/pod/config:/etc/kernel/config:ro',
      '--volume=/pod/secrets:/etc/kernel/secrets:ro',
      '--volume=/pod/authorities:/etc/kernel/authorities:ro',
      '--volume=/pod/tls:/etc/kernel/tls:ro',
      '--volume=/pod/vault-token:/var/run/secrets/vault:ro',
    ]);
    expect(portOf(spec, 'management')).toBe(8444);
    expect(() => portOf(spec, 'web')).toThrow('signing-proxy has no port "web"');
    const modes = spec.volumes.map((volume) => ('secret' in volume ? volume.secret.defaultMode : undefined));
    expect(modes.filter((mode) => mode !== undefined)).toEqual([0o440]);
    expect(spec.terminationGracePeriodSeconds).toBe(45);
    expect(containerOf(spec).lifecycle?.preStop.sleep.seconds).toBe(10);
  });

  it.each<[string, (pod: KubeObject) => void, string]>([
    ['of the pod', (pod) => Object.assign(pod, { hostNetwork: true }), 'hostNetwork'],
    [
      'that starts before it',
      (pod) => Object.assign(pod, { initContainers: [{ name: 'first' }] }),
      'initContainers',
    ],
    ['of the container', (pod) => Object.assign(pod['containers'][0], { workingDir: '/' }), 'workingDir'],
    ['beside it', (pod) => pod['containers'].push(structuredClone(pod['containers'][0])), 'containers'],
    [
      'of its security',
      (pod) => Object.assign(pod['containers'][0].securityContext, { privileged: true }),
      'privileged',
    ],
    [
      'that gives it rights',
      (pod) => Object.assign(pod['containers'][0].securityContext.capabilities, { add: ['NET_ADMIN'] }),
      'capabilities',
    ],
    [
      'that lets it be root',
      (pod) => Object.assign(pod['containers'][0].securityContext, { runAsUser: 0 }),
      'runAsUser',
    ],
    [
      'of a probe',
      (pod) => Object.assign(pod['containers'][0].readinessProbe, { initialDelaySeconds: 5 }),
      'initialDelaySeconds',
    ],
    ['of a volume', (pod) => pod['volumes'].push({ name: 'host', hostPath: { path: '/' } }), 'volumes'],
    ['of a mount', (pod) => Object.assign(pod['containers'][0].volumeMounts[0], { subPath: 'a' }), 'subPath'],
    [
      'of its environment',
      (pod) => Object.assign(pod['containers'][0], { env: [{ name: 'A', valueFrom: {} }] }),
      'valueFrom',
    ],
    [
      'of its limits',
      (pod) => Object.assign(pod['containers'][0].resources.limits, { hugepages: '1' }),
      'hugepages',
    ],
  ])('is refused for a member %s that it would leave out', (_what, change, named) => {
    const pod = rendered('kernel');
    expect(() => readPodSpec(pod)).not.toThrow();
    change(pod);
    expect(() => readPodSpec(pod)).toThrow(named);
  });

  it('is refused for a mount of nothing, or one that could be written to', () => {
    const mounts = (change: (mount: { name: string; readOnly?: boolean }[]) => void) => {
      const pod = rendered('kernel');
      change(pod['containers'][0].volumeMounts);
      return () => podmanArguments(readPodSpec(pod), folders);
    };
    expect(mounts(() => undefined)).not.toThrow();
    expect(mounts((all) => (all[1] = { ...all[1], name: 'nothing' }))).toThrow(
      '"nothing", which the pod has not',
    );
    expect(mounts((all) => delete all[1]?.readOnly)).toThrow('is not readOnly');
    expect(() => podmanArguments(readPodSpec(rendered('kernel')), new Map())).toThrow('has no folder');
  });

  it('counts as Kubernetes does', () => {
    expect([cores('250m'), cores('2'), cores('0.5')]).toEqual([0.25, 2, 0.5]);
    expect([bytes('64Mi'), bytes('1Gi')]).toEqual([2 ** 26, 2 ** 30]);
    expect(() => cores('1k')).toThrow('no amount of CPU');
    expect(() => bytes('1G')).toThrow('no amount of memory');
  });
});
