/** One message; `data` is null where it only says where the stream stands. */
export interface StreamMessage {
  readonly id: string | null;
  readonly data: string | null;
}

/** Longest message that is kept, in UTF-16 code units: an event has at most 8 MiB. */
const MAX_MESSAGE = 16 * 2 ** 20;

/** Splits a stream of server-sent events (HTML Living Standard, section 9.2) as the kernel writes them. */
export class MessageSplitter {
  private rest = '';

  add(text: string): StreamMessage[] {
    const parts = (this.rest + text).split('\n\n');
    this.rest = parts.pop() ?? '';
    if (this.rest.length > MAX_MESSAGE) throw new Error('a message of the stream is too long');
    return parts.map((part) => {
      const lines = part.split('\n');
      const field = (name: string) =>
        lines.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2));
      const data = field('data');
      return { id: field('id').at(-1) ?? null, data: data.length === 0 ? null : data.join('\n') };
    });
  }
}
