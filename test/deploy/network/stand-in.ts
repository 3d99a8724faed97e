/**
 * Stands in for a pod in a network namespace of its own: answers on its ports, and connects where it is told to. Node runs this
 * file as it is. Arguments: the path of its control socket, then ports (`8443/TCP`, `53/UDP`).
 */
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';

export interface Target {
  readonly address: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP';
}

/** Long enough for a lost first packet and a busy machine. */
const PATIENCE_MS = 2_000;
const GREETING = 'ok';

function serve(port: number, protocol: string): void {
  if (protocol === 'UDP') {
    const socket = createSocket('udp4');
    socket.on('message', (_, { port: from, address }) => socket.send(GREETING, from, address));
    socket.bind(port);
    return;
  }
  createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(GREETING);
  }).listen(port, '0.0.0.0');
}

/** @returns `open` when the other side answers, `dropped` when nothing comes, else the error's code */
function tryTcp({ address, port }: Target): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, address);
    const timer = setTimeout(() => finish('dropped'), PATIENCE_MS);
    const finish = (verdict: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(verdict);
    };
    socket.on('data', () => finish('open'));
    socket.on('end', () => finish('ended'));
    socket.on('error', (error: NodeJS.ErrnoException) => finish(error.code ?? error.message));
  });
}

function tryUdp({ address, port }: Target): Promise<string> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const ask = (): void => socket.send(GREETING, port, address);
    const again = setInterval(ask, PATIENCE_MS / 4);
    const timer = setTimeout(() => finish('dropped'), PATIENCE_MS);
    const finish = (verdict: string): void => {
      clearTimeout(timer);
      clearInterval(again);
      socket.close();
      resolve(verdict);
    };
    socket.on('message', () => finish('open'));
    socket.on('error', (error: NodeJS.ErrnoException) => finish(error.code ?? error.message));
    ask();
  });
}

function main([control, ...ports]: string[]): void {
  for (const port of ports) {
    const [number, protocol] = port.split('/');
    serve(Number(number), protocol ?? 'TCP');
  }
  // Asked in one line of JSON, it answers in one.
  createServer((socket) => {
    let asked = '';
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      asked += chunk.toString();
      if (!asked.endsWith('\n')) return;
      const targets = JSON.parse(asked) as Target[];
      void Promise.all(
        targets.map((target) => (target.protocol === 'UDP' ? tryUdp(target) : tryTcp(target))),
      ).then((verdicts) => socket.end(JSON.stringify(verdicts)));
    });
  }).listen(control);
}

main(process.argv.slice(2));
