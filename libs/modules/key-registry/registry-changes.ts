import { Injectable } from '@nestjs/common';
import { ChannelListener, Database } from '#platform/postgres';

/** Tells when the registry may have changed: the database notifies of every registry event, of any process. */
@Injectable()
export class RegistryChanges {
  private readonly listener: ChannelListener;
  private readonly listeners: (() => void)[] = [];

  constructor(database: Database) {
    const tell = (): void => this.listeners.forEach((listener) => listener());
    // Also when the connection comes back: notifications sent meanwhile were missed.
    this.listener = new ChannelListener(database, ['kernel_signers'], tell, tell);
  }

  onChange(listener: () => void): void {
    this.listeners.push(listener);
    this.listener.listen();
  }

  close(): Promise<void> {
    return this.listener.close();
  }
}
