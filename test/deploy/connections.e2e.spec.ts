import { describeWith, kubeMissing, withCluster } from '#dev/testing';
import { ChartRelease, prepareCluster, RELEASE } from './chart-release';
import { ChartNetwork } from './network/chart-network';
import { isRoot, PodNetwork, podNetworkMissing } from './network/pod-network';

/** A policy holds a moment after it was made. */
const HOLDS_WITHIN_MS = 45_000;

describeWith(
  // An ordinary user cannot run it, not even in CI.
  { missing: kubeMissing() ?? podNetworkMissing(), isNamed: !isRoot() },
  "connections of the chart's pods, with its policies enforced",
  () => {
    const cluster = withCluster();
    let network: PodNetwork | undefined;
    let release: ChartRelease;
    let everybody: ChartNetwork;
    beforeAll(async () => {
      const namespace = await prepareCluster(cluster(), 'production');
      release = new ChartRelease(cluster(), namespace, 'production');
      expect(await release.install()).toMatchObject({ code: 0 });
      network = await PodNetwork.open(cluster());
      everybody = await ChartNetwork.attach(cluster(), release, network);
    }, 240_000);
    afterAll(async () => {
      await network?.close();
    }, 60_000);

    /** Tries until everything is as expected, or gives back what differs. */
    async function expectOpen(expected: readonly string[], without = 'none'): Promise<void> {
      const deadline = performance.now() + HOLDS_WITHIN_MS;
      for (;;) {
        const { open, trouble } = await everybody.tried();
        const isSame = JSON.stringify(open) === JSON.stringify(expected) && trouble.length === 0;
        if (!isSame && performance.now() < deadline) continue;
        expect({
          without,
          tooMuch: open.filter((line) => !expected.includes(line)),
          missing: expected.filter((line) => !open.includes(line)),
          trouble,
        }).toEqual({ without, tooMuch: [], missing: [], trouble: [] });
        return;
      }
    }

    it('all open while nobody enforces the policies', async () => {
      expect(everybody.all().length).toBeGreaterThan(500);
      await expectOpen(everybody.all());
    }, 60_000);

    it('open as docs/kubernetes.md says, and no others, once somebody does', async () => {
      await cluster().client.apply(...policyAgent());
      const token = await cluster().client.kubectl([
        '--namespace=kube-system',
        'create',
        'token',
        'policy-agent',
        '--duration=1h',
      ]);
      await network?.enforce(token.trim());
      await expectOpen(everybody.expected());
    }, 120_000);

    it('change with each policy that is taken away by exactly its own lines', async () => {
      const policies = await cluster().list(
        `/apis/networking.k8s.io/v1/namespaces/${release.namespace}/networkpolicies`,
      );
      expect(policies.length).toBeGreaterThan(15);
      for (const policy of policies) {
        const name = policy.metadata.name as string;
        const expected = everybody.expected(name.replace(`${RELEASE}-`, ''));
        // A policy without lines of its own would not be missed.
        expect({ name, isMissed: expected.join() !== everybody.expected().join() }).toEqual({
          name,
          isMissed: true,
        });
        await release.kubectl('delete', 'networkpolicy', name);
        await expectOpen(expected, name);
        const { namespace, labels } = policy.metadata;
        await cluster().client.apply({
          apiVersion: 'networking.k8s.io/v1',
          kind: 'NetworkPolicy',
          metadata: { name, namespace, labels },
          spec: policy.spec,
        });
      }
      await expectOpen(everybody.expected());
    }, 600_000);
  },
);

/** The account of kube-network-policies, with what its own manifest gives it. */
function policyAgent(): object[] {
  const metadata = { name: 'policy-agent', namespace: 'kube-system' };
  const reads = { verbs: ['get', 'list', 'watch'] };
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: metadata.name },
      rules: [
        { apiGroups: [''], resources: ['pods', 'namespaces'], ...reads },
        { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], ...reads },
      ],
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: metadata.name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: metadata.name },
      subjects: [{ kind: 'ServiceAccount', ...metadata }],
    },
  ];
}
