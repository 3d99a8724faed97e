/** One message of an event stream. */
export interface StreamMessage {
  readonly id: string | undefined;
  /** Null: the message only says where the stream stands. */
  readonly data: string | null;
}

/**
 * Messages of the kernel's event stream (HTML Living Standard, section 9.2). Parsers of event streams leave out messages that
 * have an id alone; here they count, since a client whose filter matches little goes on after them.
 */
export async function* messagesIn(body: AsyncIterable<Uint8Array>): AsyncGenerator<StreamMessage> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    // The kernel ends lines with line feeds alone.
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const lines = text.slice(0, end).split('\n');
      text = text.slice(end + 2);
      const field = (name: string): string[] =>
        lines.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2));
      const data = field('data');
      yield { id: field('id').at(-1), data: data.length === 0 ? null : data.join('\n') };
    }
  }
}
