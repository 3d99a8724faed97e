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
  resolve: (answer: Answer) => void;
  reject: (error: SignerError) => void;
  timer: NodeJS.Timeout;
}

/** The compiled file in dist/, or in tests the source itself, whose types Node strips. */
const PROGRAM = join(__dirname, `pkcs11-token.process${extname(__filename)}`);

/** A refusal by the token process, with what the parent needs to decide whether to try again. */
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
  private endedBecause: string | null = null;
  /** Settles when the process is gone, whatever the reason. */
  readonly ended: Promise<void>;

  constructor() {
    this.child = fork(PROGRAM, [TOKEN_PROCESS_ROLE], {
      // Typed arrays survive 'advanced' as they are; 'json' would send every byte as a number.
      serialization: 'advanced',
      // Flags of this process (a debugger's port, a test runner's hooks) are not meant for that one.
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.child.on('message', (reply) => this.settle(reply as TokenReply));
    this.ended = new Promise((resolve) => {
      const end = (why: string): void => {
        if (this.endedBecause !== null) return;
        this.endedBecause = why;
        for (const id of [...this.waiting.keys()]) this.fail(id, why);
        resolve();
      };
      this.child.once('exit', (code, signal) => end(`it ended with ${signal ?? `exit code ${code}`}`));
      this.child.once('error', (error) => end(`it could not be started (${error.message})`));
    });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Requests sent and not answered yet. */
  get pending(): number {
    return this.waiting.size;
  }

  /**
   * @param timeoutMs after which the process is ended, since a call that hangs in a module cannot be taken back
   * @throws TokenRefusal when the token says no, SignerError `signing_unavailable` when the process is gone
   */
  ask(request: TokenRequest, timeoutMs: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.endedBecause !== null) {
        reject(gone(this.endedBecause));
        return;
      }
      const id = this.nextId++;
      const timer = setTimeout(() => {
        this.fail(id, `it did not answer within ${timeoutMs} ms`);
        this.kill();
      }, timeoutMs);
      this.waiting.set(id, { resolve, reject, timer });
      this.child.send({ id, request }, (error) => {
        if (error) this.fail(id, reasonOf(error));
      });
    });
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  /** Lets it finish what it is at, then ends it. */
  async close(graceMs: number): Promise<void> {
    if (this.child.connected) this.child.disconnect();
    const timer = setTimeout(() => this.kill(), graceMs);
    await this.ended;
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

  private fail(id: number, why: string): void {
    const waiting = this.waiting.get(id);
    if (!waiting) return;
    this.waiting.delete(id);
    clearTimeout(waiting.timer);
    waiting.reject(gone(why));
  }
}

function gone(why: string): SignerError {
  return new SignerError('signing_unavailable', `The PKCS#11 token process is not available: ${why}`);
}
