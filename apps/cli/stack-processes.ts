import { isRunning, type RunRecord, type StackPorts } from '#dev/devstack';

/** One process of a state folder, as `status` and `doctor` show it. */
export interface StackProcess {
  name: string;
  state: string;
  pid: number | null;
  restarts: number;
  url: string;
}

/** The processes that a run has recorded. */
export function processesOf(run: RunRecord | undefined, ports: StackPorts): StackProcess[] {
  const supervised = run !== undefined && isRunning(run.supervisor);
  const [kernel] = ports.kernels;
  const urls: Record<string, string> = {
    postgres: `postgres://127.0.0.1:${ports.postgres}`,
    'identity-provider': `http://127.0.0.1:${ports.identityProvider}`,
    'signing-proxy': `https://127.0.0.1:${ports.signingProxy}`,
    kernel: `https://127.0.0.1:${kernel?.api}`,
    kafka: `127.0.0.1:${ports.kafka}`,
    s3: `http://127.0.0.1:${ports.s3}`,
    openbao: `https://127.0.0.1:${ports.openBao}`,
    ...Object.fromEntries(
      ports.workers.map(({ app, management }) => [app, `http://127.0.0.1:${management}`]),
    ),
  };
  return Object.entries(run?.services ?? {}).map(([name, service]) => {
    const alive = service.process !== null && isRunning(service.process);
    return {
      name,
      // The record may be a moment old, and is of no use when no process updates it.
      state: alive
        ? service.state
        : supervised && service.state !== 'running'
          ? service.state
          : 'not running',
      pid: alive ? (service.process?.pid ?? null) : null,
      restarts: service.restarts,
      url: urls[name] ?? '',
    };
  });
}

/** Management addresses of the kernel and its workers. */
export function managementOf(ports: StackPorts): { name: string; url: string }[] {
  const [kernel] = ports.kernels;
  return [{ app: 'kernel', management: kernel?.management }, ...ports.workers].map(({ app, management }) => ({
    name: app,
    url: `http://127.0.0.1:${management}`,
  }));
}
