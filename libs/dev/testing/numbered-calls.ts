interface Message {
  readonly id?: number | null;
  readonly method?: string;
  readonly params?: never;
  readonly result: never;
  /** A word and a sentence (WebDriver BiDi), or an object with one (DevTools). */
  readonly error?: string | { readonly message: string };
  readonly message?: string;
}

/** Calls over a WebSocket that are answered by number, as the DevTools protocol and WebDriver BiDi have them. */
export class NumberedCalls {
  private id = 0;
  private readonly waiting = new Map<
    number,
    { resolve: (value: never) => void; reject: (error: Error) => void }
  >();
  private readonly listeners = new Map<string, (params: never) => void>();

  private constructor(private readonly socket: WebSocket) {
    socket.addEventListener('message', ({ data }) => this.take(JSON.parse(String(data)) as Message));
    socket.addEventListener('close', () => {
      for (const { reject } of this.waiting.values()) reject(new Error('the browser has gone'));
      this.waiting.clear();
    });
  }

  static async open(endpoint: string): Promise<NumberedCalls> {
    const socket = new WebSocket(endpoint);
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve, { once: true });
      socket.addEventListener('error', () => reject(new Error(`${endpoint} cannot be reached`)), {
        once: true,
      });
    });
    return new NumberedCalls(socket);
  }

  /** @param beside members of the message beside its method and parameters */
  call<T>(method: string, params: object = {}, beside: object = {}): Promise<T> {
    const id = ++this.id;
    const answer = new Promise<T>((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
    });
    this.socket.send(JSON.stringify({ id, method, params, ...beside }));
    return answer;
  }

  /** Calls the listener for every event of this name; one listener for each. */
  on<T>(method: string, listener: (params: T) => void): void {
    this.listeners.set(method, listener);
  }

  close(): void {
    this.socket.close();
  }

  private take({ id, method, params, result, error, message }: Message): void {
    if (method !== undefined) this.listeners.get(method)?.(params as never);
    const call = this.waiting.get(id ?? -1);
    if (call === undefined) return;
    this.waiting.delete(id ?? -1);
    if (error === undefined) call.resolve(result);
    else call.reject(new Error(typeof error === 'string' ? `${error}: ${message}` : error.message));
  }
}
