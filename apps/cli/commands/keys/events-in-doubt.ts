import { type FileHandle, open } from 'node:fs/promises';
import { eventLines } from '../../api/event-lines';
import { CliError } from '../../cli.error';

/** File of the events that a lost key has signed and that the kernel stands by, as the export has them. */
export class EventsInDoubt {
  private written = 0;

  private constructor(
    private readonly file: FileHandle,
    readonly path: string,
  ) {}

  /** Opened before anything is done, so that a path that cannot be written is known in time. @throws CliError */
  static async open(path: string): Promise<EventsInDoubt> {
    const file = await open(path, 'w', 0o600).catch((cause: NodeJS.ErrnoException) => {
      throw new CliError('file_problem', `Cannot write to ${path} (${cause.code}).`, {}, { cause });
    });
    return new EventsInDoubt(file, path);
  }

  get count(): number {
    return this.written;
  }

  /** Takes those of an export that the key has signed. */
  async take(kid: string, events: AsyncIterable<Buffer>): Promise<void> {
    for await (const line of eventLines(events)) {
      const { signerKid } = JSON.parse(line.toString()) as { signerKid?: unknown };
      if (signerKid !== kid) continue;
      await this.file.appendFile(line);
      await this.file.appendFile('\n');
      this.written++;
    }
  }

  /** Ends with what was taken on disk. */
  async close(): Promise<void> {
    try {
      await this.file.sync();
    } finally {
      await this.file.close();
    }
  }
}
