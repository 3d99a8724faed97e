import { z } from 'zod';

/*
 * What of a pod the chart uses, and no more: a member that is not here is refused. Left out silently, a test would run
 * another pod than the cluster does.
 */

const name = z.string().min(1);
/** Pod Security "restricted" lets nothing else in, and podman has it by default. */
const seccomp = z.strictObject({ type: z.literal('RuntimeDefault') });

const quantity = z.strictObject({ cpu: z.string(), memory: z.string() });

const probe = z.strictObject({
  httpGet: z.strictObject({ path: z.string().startsWith('/'), port: name }),
  periodSeconds: z.number().int().positive(),
  timeoutSeconds: z.number().int().positive(),
  failureThreshold: z.number().int().positive(),
});
export type Probe = z.infer<typeof probe>;

const container = z.strictObject({
  name,
  image: name,
  // The image is on the machine.
  imagePullPolicy: z.literal('IfNotPresent'),
  args: z.array(z.string()).min(1),
  env: z.array(z.strictObject({ name, value: z.string() })).default([]),
  envFrom: z.array(z.strictObject({ configMapRef: z.strictObject({ name }) })).default([]),
  ports: z.array(z.strictObject({ name, containerPort: z.number().int() })).default([]),
  startupProbe: probe.optional(),
  livenessProbe: probe.optional(),
  readinessProbe: probe.optional(),
  lifecycle: z
    .strictObject({
      preStop: z.strictObject({ sleep: z.strictObject({ seconds: z.number().int().positive() }) }),
    })
    .optional(),
  resources: z.strictObject({ requests: quantity, limits: quantity }),
  securityContext: z.strictObject({
    allowPrivilegeEscalation: z.literal(false),
    readOnlyRootFilesystem: z.literal(true),
    runAsNonRoot: z.literal(true),
    runAsUser: z.number().int().positive(),
    runAsGroup: z.number().int().positive(),
    capabilities: z.strictObject({ drop: z.tuple([z.literal('ALL')]) }),
    seccompProfile: seccomp,
  }),
  volumeMounts: z
    .array(
      z.strictObject({ name, mountPath: z.string().startsWith('/'), readOnly: z.literal(true).optional() }),
    )
    .default([]),
});

const items = z.array(z.strictObject({ key: name, path: name }));
const source = z.union([
  z.strictObject({ configMap: z.strictObject({ name, items: items.optional() }) }),
  z.strictObject({
    serviceAccountToken: z.strictObject({
      path: name,
      audience: name,
      expirationSeconds: z.number().int(),
    }),
  }),
]);
export type ProjectedSource = z.infer<typeof source>;

const volume = z.union([
  z.strictObject({ name, emptyDir: z.strictObject({ sizeLimit: z.string() }) }),
  z.strictObject({
    name,
    projected: z.strictObject({ defaultMode: z.number().int(), sources: z.array(source).min(1) }),
  }),
  z.strictObject({
    name,
    secret: z.strictObject({ secretName: name, defaultMode: z.number().int(), items: items.optional() }),
  }),
  z.strictObject({
    name,
    csi: z.strictObject({
      driver: z.literal('secrets-store.csi.k8s.io'),
      readOnly: z.literal(true),
      volumeAttributes: z.strictObject({ secretProviderClass: name }),
    }),
  }),
]);
export type Volume = z.infer<typeof volume>;

const podSpec = z.strictObject({
  serviceAccountName: name,
  automountServiceAccountToken: z.literal(false),
  enableServiceLinks: z.literal(false),
  securityContext: z.strictObject({
    runAsNonRoot: z.literal(true),
    runAsUser: z.number().int().positive(),
    runAsGroup: z.number().int().positive(),
    fsGroup: z.number().int().positive(),
    fsGroupChangePolicy: z.literal('OnRootMismatch'),
    seccompProfile: seccomp,
  }),
  // The Job's; a Deployment's pods are always restarted.
  restartPolicy: z.literal('Never').optional(),
  terminationGracePeriodSeconds: z.number().int().positive().default(30),
  containers: z.tuple([container]),
  volumes: z.array(volume).default([]),
  // For the scheduler, which has one node here.
  nodeSelector: z.unknown().optional(),
  tolerations: z.unknown().optional(),
  topologySpreadConstraints: z.unknown().optional(),
  priorityClassName: z.unknown().optional(),
});

/** A pod spec that podman can run as it is. */
export type PodSpec = z.infer<typeof podSpec>;
export type PodContainer = z.infer<typeof container>;

/** @throws Error that names every member of a rendered pod spec that would not be honoured */
export function readPodSpec(rendered: unknown): PodSpec {
  const read = podSpec.safeParse(rendered);
  if (read.success) return read.data;
  throw new Error(`podman cannot run this pod as it is: ${z.prettifyError(read.error)}`);
}

/** Its only container. */
export function containerOf({ containers: [only] }: PodSpec): PodContainer {
  return only;
}

/** Number of a named port. */
export function portOf(spec: PodSpec, name: string): number {
  const found = containerOf(spec).ports.find((port) => port.name === name);
  if (found === undefined) throw new Error(`${containerOf(spec).name} has no port "${name}"`);
  return found.containerPort;
}

/**
 * What `podman run` has to be told so that the container is the pod's: before the image and its arguments.
 * @param volumes folder of each volume that has one; the others are empty
 */
export function podmanArguments(spec: PodSpec, volumes: ReadonlyMap<string, string>): string[] {
  const { resources, securityContext, volumeMounts } = containerOf(spec);
  const { runAsUser, runAsGroup } = securityContext;
  return [
    '--read-only',
    // podman would make some folders writable.
    '--read-only-tmpfs=false',
    '--cap-drop=ALL',
    '--security-opt=no-new-privileges',
    `--user=${runAsUser}:${runAsGroup}`,
    ...(spec.securityContext.fsGroup === runAsGroup ? [] : [`--group-add=${spec.securityContext.fsGroup}`]),
    `--cpus=${cores(resources.limits.cpu)}`,
    // As the kubelet does: 1024 shares a core.
    `--cpu-shares=${Math.round(cores(resources.requests.cpu) * 1024)}`,
    `--memory=${bytes(resources.limits.memory)}`,
    // No swap.
    `--memory-swap=${bytes(resources.limits.memory)}`,
    ...volumeMounts.map((mount) => mountArgument(spec, mount, volumes)),
  ];
}

function mountArgument(
  { volumes }: PodSpec,
  { name: of, mountPath, readOnly }: PodContainer['volumeMounts'][number],
  folders: ReadonlyMap<string, string>,
): string {
  const mounted = volumes.find((candidate) => candidate.name === of);
  if (mounted === undefined) throw new Error(`${mountPath} is of the volume "${of}", which the pod has not`);
  if ('emptyDir' in mounted) {
    if (readOnly) throw new Error(`${mountPath} is an empty folder that nobody may write to`);
    return `--tmpfs=${mountPath}:rw,size=${bytes(mounted.emptyDir.sizeLimit)},mode=1777`;
  }
  if (!readOnly)
    throw new Error(`${mountPath} is of the volume "${of}", which is not written to, and is not readOnly`);
  const folder = folders.get(of);
  if (folder === undefined) throw new Error(`the volume "${of}" has no folder`);
  return `--volume=${folder}:${mountPath}:ro`;
}

/** CPU of a resource list: `250m` or `2`. */
export function cores(cpu: string): number {
  const [, digits, milli] = /^(\d+(?:\.\d+)?)(m?)$/.exec(cpu) ?? [];
  if (digits === undefined) throw new Error(`"${cpu}" is no amount of CPU`);
  return milli === 'm' ? Number(digits) / 1000 : Number(digits);
}

/** Memory of a resource list in bytes: `512Mi`, `1Gi`. */
export function bytes(memory: string): number {
  const [, digits, unit = ''] = /^(\d+)(Ki|Mi|Gi)$/.exec(memory) ?? [];
  const factor = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 }[unit];
  if (digits === undefined || factor === undefined) throw new Error(`"${memory}" is no amount of memory`);
  return Number(digits) * factor;
}
