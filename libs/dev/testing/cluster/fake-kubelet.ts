/**
 * What kwok does in place of a kubelet: nodes that are always well, pods that are ready at once, Jobs that are done at once. No
 * container runs. An image with one of the digests below behaves as its name says, whatever its repository.
 */

/** An image whose pods never become ready. */
export const NEVER_READY_DIGEST = `sha256:${'0'.repeat(62)}aa`;
/** An image whose program fails: a Job of it fails. */
export const FAILING_DIGEST = `sha256:${'0'.repeat(62)}bb`;

/** Nodes with this annotation are kwok's. */
export const FAKE_NODE = { 'kwok.x-k8s.io/node': 'fake' };

type Match = { key: string; operator: 'Exists' | 'DoesNotExist' | 'In' | 'NotIn'; values?: string[] };

const IS_THERE: Match = { key: '.metadata.deletionTimestamp', operator: 'DoesNotExist' };
const DIGEST = '.spec.containers.[].image | split("@") | .[1]';
const OF_JOB: Match = { key: '.metadata.ownerReferences.[].kind', operator: 'In', values: ['Job'] };
const phase = (value: string): Match => ({ key: '.status.phase', operator: 'In', values: [value] });

function stage(
  name: string,
  kind: 'Node' | 'Pod',
  match: readonly Match[],
  next: object,
  more: object = {},
): object {
  return {
    apiVersion: 'kwok.x-k8s.io/v1alpha1',
    kind: 'Stage',
    metadata: { name },
    spec: { resourceRef: { apiGroup: 'v1', kind }, selector: { matchExpressions: match }, next, ...more },
  };
}

const RUNNING = `{{ $now := Now }}
conditions:
{{ range $type := (list "Initialized" "Ready" "ContainersReady") }}
- lastTransitionTime: {{ $now | Quote }}
  status: "True"
  type: {{ $type | Quote }}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- image: {{ .image | Quote }}
  name: {{ .name | Quote }}
  ready: true
  started: true
  restartCount: 0
  state:
    running:
      startedAt: {{ $now | Quote }}
{{ end }}
{{ with .spec.initContainers }}
initContainerStatuses:
{{ range . }}
- image: {{ .image | Quote }}
  name: {{ .name | Quote }}
  ready: true
  restartCount: 0
  state:
    terminated:
      exitCode: 0
      reason: Completed
      startedAt: {{ $now | Quote }}
      finishedAt: {{ $now | Quote }}
{{ end }}
{{ end }}
hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
podIP: {{ PodIPWith .spec.nodeName ( or .spec.hostNetwork false ) ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) | Quote }}
phase: Running
startTime: {{ $now | Quote }}
`;

/** The same, but the probes of its containers have not succeeded yet. */
const UNREADY = RUNNING.replaceAll('ready: true\n  started', 'ready: false\n  started').replace(
  '  status: "True"\n',
  '  status: {{ if eq $type "Initialized" }}"True"{{ else }}"False"{{ end }}\n',
);

const ended = (exitCode: number, reason: string, phaseOfPod: string): string => `{{ $now := Now }}
containerStatuses:
{{ range .spec.containers }}
- image: {{ .image | Quote }}
  name: {{ .name | Quote }}
  ready: false
  started: false
  restartCount: 0
  state:
    terminated:
      exitCode: ${exitCode}
      reason: ${reason}
      startedAt: {{ $now | Quote }}
      finishedAt: {{ $now | Quote }}
{{ end }}
phase: ${phaseOfPod}
`;

const NODE_READY = `{{ $now := Now }}
conditions:
{{ range NodeConditions }}
- lastHeartbeatTime: {{ $now | Quote }}
  lastTransitionTime: {{ $now | Quote }}
  message: {{ .message | Quote }}
  reason: {{ .reason | Quote }}
  status: {{ .status | Quote }}
  type: {{ .type | Quote }}
{{ end }}
addresses:
- address: {{ NodeIP | Quote }}
  type: InternalIP
- address: {{ NodeName | Quote }}
  type: Hostname
{{ range $kind := (list "allocatable" "capacity") }}
{{ $kind }}:
  cpu: 16
  memory: 64Gi
  pods: 110
  ephemeral-storage: 100Gi
{{ end }}
phase: Running
`;

/** kwok's configuration: what becomes of nodes and pods. */
export const STAGES: readonly object[] = [
  stage(
    'node-ready',
    'Node',
    [
      {
        key: '.status.conditions.[] | select( .type == "Ready" ) | .status',
        operator: 'NotIn',
        values: ['True'],
      },
    ],
    { statusTemplate: NODE_READY },
  ),
  stage(
    'pod-ready',
    'Pod',
    [
      IS_THERE,
      { key: '.status.podIP', operator: 'DoesNotExist' },
      { key: DIGEST, operator: 'NotIn', values: [NEVER_READY_DIGEST] },
    ],
    { statusTemplate: RUNNING },
  ),
  stage(
    'pod-never-ready',
    'Pod',
    [
      IS_THERE,
      { key: '.status.podIP', operator: 'DoesNotExist' },
      { key: DIGEST, operator: 'In', values: [NEVER_READY_DIGEST] },
    ],
    { statusTemplate: UNREADY },
  ),
  stage(
    'pod-complete',
    'Pod',
    [IS_THERE, phase('Running'), OF_JOB, { key: DIGEST, operator: 'NotIn', values: [FAILING_DIGEST] }],
    { statusTemplate: ended(0, 'Completed', 'Succeeded') },
  ),
  stage(
    'pod-fail',
    'Pod',
    [IS_THERE, phase('Running'), OF_JOB, { key: DIGEST, operator: 'In', values: [FAILING_DIGEST] }],
    { statusTemplate: ended(1, 'Error', 'Failed') },
  ),
  stage('pod-delete', 'Pod', [{ key: '.metadata.deletionTimestamp', operator: 'Exists' }], {
    finalizers: { empty: true },
    delete: true,
  }),
];
