import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

interface Line {
  client: Socket;
  server: Socket;
  silent: boolean;
  held: (() => void)[];
}

interface Trap {
  text: Buffer;
  then: 'hold request' | 'hold answer' | 'cut';
  sprung: () => void;
}

/** A TCP line to a server that can be cut, slow down, go silent, or withhold one message or the answer to it. */
export class FaultyWire {
  private readonly lines = new Set<Line>();
  /** Delay of everything, in either direction. */
  private delayMs = 0;
  private newLinesAreSilent = false;
  private newLinesAreRefused = false;
  private trap: Trap | undefined;
  private target: { host: string; port: number } | undefined;

  private constructor(private readonly listener: Server) {
    listener.on('connection', (client) => this.join(client));
  }

  static async open(): Promise<FaultyWire> {
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    return new FaultyWire(listener);
  }

  /** The URL with this wire in between, which leads to that URL's server from now on. */
  through(url: string): string {
    const changed = new URL(url);
    this.target = { host: changed.hostname, port: Number(changed.port) };
    changed.hostname = '127.0.0.1';
    changed.port = String((this.listener.address() as AddressInfo).port);
    return changed.href;
  }

  /** Once: the next message with this text is held back until `thaw`. Settles when it was sent. */
  holdMessageWith(text: string): Promise<void> {
    return this.setTrap(text, 'hold request');
  }

  /**
   * Once: the server gets the next message with this text and acts on it, but its answer is held back until `thaw`.
   * Settles when the server has answered.
   */
  holdAnswerTo(text: string): Promise<void> {
    return this.setTrap(text, 'hold answer');
  }

  /** The same, but the connection breaks instead and the answer never arrives. */
  loseAnswerTo(text: string): Promise<void> {
    return this.setTrap(text, 'cut');
  }

  /** Cuts every connection. The server may not notice until it has something to say. */
  cut(): void {
    for (const { client, server } of this.lines) {
      client.destroy();
      server.destroy();
    }
  }

  /** Nothing passes on existing connections, which stay open, nor on new ones, unless said otherwise. */
  freeze({ newConnections = true } = {}): void {
    for (const line of this.lines) line.silent = true;
    this.newLinesAreSilent = newConnections;
  }

  /** From now on everything takes this much longer in either direction, in its order; 0 for at once. */
  slowDown(delayMs: number): void {
    this.delayMs = delayMs;
  }

  /** Closes every new connection at once, until `thaw`. Existing ones stay. */
  refuse(): void {
    this.newLinesAreRefused = true;
  }

  /** What was held back arrives. */
  thaw(): void {
    this.newLinesAreSilent = false;
    this.newLinesAreRefused = false;
    for (const line of this.lines) {
      line.silent = false;
      for (const pass of line.held.splice(0)) pass();
    }
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.listener.close(resolve));
  }

  private setTrap(text: string, then: Trap['then']): Promise<void> {
    return new Promise((sprung) => (this.trap = { text: Buffer.from(text), then, sprung }));
  }

  private join(client: Socket): void {
    if (this.target === undefined || this.newLinesAreRefused) {
      client.destroy();
      return;
    }
    const server = connect(this.target);
    const line: Line = { client, server, silent: this.newLinesAreSilent, held: [] };
    this.lines.add(line);
    const send = (to: Socket, data: Buffer): void => {
      if (line.silent) line.held.push(() => to.write(data));
      else to.write(data);
    };
    /** What is under way on this line, for whom: nothing overtakes it. */
    const underWay = new Map<Socket, Promise<void>>();
    const pass = (to: Socket, data: Buffer): void => {
      const before = underWay.get(to);
      if (this.delayMs === 0 && before === undefined) {
        send(to, data);
        return;
      }
      const arrived = Promise.all([before, delay(this.delayMs)]).then(() => {
        send(to, data);
        if (underWay.get(to) === arrived) underWay.delete(to);
      });
      underWay.set(to, arrived);
    };
    let caught: Trap | undefined;
    // The text may lie across two chunks.
    let tail = Buffer.alloc(0);
    client.on('data', (data) => {
      if (this.trap !== undefined) {
        const seen = Buffer.concat([tail, data]);
        if (seen.includes(this.trap.text)) {
          if (this.trap.then === 'hold request') {
            line.silent = true;
            this.trap.sprung();
          } else {
            caught = this.trap;
          }
          this.trap = undefined;
        } else {
          tail = seen.subarray(-this.trap.text.length);
        }
      }
      pass(server, data);
    });
    server.on('data', (data) => {
      if (caught !== undefined) {
        const { then, sprung } = caught;
        caught = undefined;
        line.silent = true;
        if (then === 'cut') {
          client.destroy();
          server.destroy();
        }
        sprung();
      }
      pass(client, data);
    });
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        other.destroy();
        this.lines.delete(line);
      });
    }
  }
}
