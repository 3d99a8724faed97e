import { fork, type ChildProcess } from 'node:child_process';
import { extname, join } from 'node:path';
import { SignerError, reasonOf } from '../signer.error';
import {
  TOKEN_PROCESS_ROLE,
  type TokenFailure,
  type TokenReply,
  type TokenRequest,
} from './pkcs11-token.process';

type Answer = Extract<TokenReply, { ok: true }>;

interface Waiting {
  promise: Promise<Answer>;
  resolve: (answer: Answer) => void;
  reject: (error: SignerError) => void;
  timer: NodeJS.Timeout;
}

/** The compiled file in dist/, or in tests the source itself, whose types Node strips. */
const PROGRAM = join(__dirname, `pkcs11-token.process${extname(__filename)}`);

/** A refusal by the token process, with what the parent needs to decide on a retry. */
export class TokenRefusal extends SignerError {
  constructor(readonly failure: TokenFailure) {
    super(failure.code, failure.message);
  }
}

/** The parent's end of one pkcs11-token.process. */
export class TokenProcess {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, Waiting>();
  private nextId = 1;
  private downBecause: string | null = null;
  private readonly exited: Promise<void>;
  private tellDown: () => void = () => undefined;
  /** Settles as soon as the process is unusable, whatever the reason. */
  readonly down: Promise<void>;

  constructor() {
    this.child = fork(PROGRAM, [TOKEN_PROCESS_ROLE], {
      // Typed arrays survive 'advanced' as they are; 'json' would send every byte as a number.
      serialization: 'advanced',
      // Flags of this process (a debugger's port, a test runner's hooks) are not for that one.
      execArgv: PROGRAM.endsWith('.ts') ? ['--disable-warning=MODULE_TYPELESS_PACKAGE_JSON'] : [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.child.on('message', (reply) => this.settle(reply as TokenReply));
    this.child.once('disconnect', () => this.giveUp('it closed its channel'));
    this.down = new Promise((resolve) => (this.tellDown = resolve));
    this.exited = new Promise((resolve) => {
      this.child.once('exit', (code, signal) => {
        this.giveUp(`it ended with ${signal ?? `exit code ${code}`}`);
        resolve();
      });
      this.child.once('error', (error) => {
        this.giveUp(`it could not be started or reached (${error.message})`);
        if (this.child.pid === undefined) resolve();
      });
    });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  get usable(): boolean {
    return this.downBecause === null;
  }

  /** Number of requests sent and not answered yet. */
  get pending(): number {
    return this.waiting.size;
  }

  /**
   * @param timeoutMs time after which the process is ended, since a call that hangs in a module cannot be cancelled
   * @throws TokenRefusal when the token refuses, SignerError `signing_unavailable` when the process is unusable
   */
  ask(request: TokenRequest, timeoutMs: number): Promise<Answer> {
    if (this.downBecause !== null) return Promise.reject(gone(this.downBecause));
    const id = this.nextId++;
    const timer = setTimeout(() => this.giveUp(`it did not answer within ${timeoutMs} ms`), timeoutMs);
    const waiting: Waiting = { ...Promise.withResolvers<Answer>(), timer };
    this.waiting.set(id, waiting);
    this.child.send({ id, request }, (error) => {
      if (error) this.giveUp(reasonOf(error));
    });
    return waiting.promise;
  }

  /** Ends it at once; unanswered requests fail with this reason. */
  giveUp(why: string): void {
    if (this.downBecause !== null) return;
    this.downBecause = why;
    this.child.kill('SIGKILL');
    for (const { reject, timer } of this.waiting.values()) {
      clearTimeout(timer);
      reject(gone(why));
    }
    this.waiting.clear();
    this.tellDown();
  }

  /** Lets it answer pending requests, within a limit, then ends it; resolves when it has ended. */
  async close(graceMs: number): Promise<void> {
    const timer = setTimeout(() => {
      this.giveUp('it is closed');
      this.child.kill('SIGKILL');
    }, graceMs);
    await Promise.allSettled([...this.waiting.values()].map(({ promise }) => promise));
    this.downBecause ??= 'it is closed';
    this.tellDown();
    if (this.child.connected) this.child.disconnect();
    await this.exited;
    clearTimeout(timer);
  }

  private settle(reply: TokenReply): void {
    const waiting = this.waiting.get(reply.id);
    if (!waiting) return;
    this.waiting.delete(reply.id);
    clearTimeout(waiting.timer);
    if (reply.ok) waiting.resolve(reply);
    else waiting.reject(new TokenRefusal(reply.failure));
  }
}

function gone(why: string): SignerError {
  return new SignerError('signing_unavailable', `The PKCS#11 token process is not available: ${why}`);
}
