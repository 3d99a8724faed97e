import { type DynamicModule, Inject, Module, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { EventStore } from '#platform/event-store';
import { type Logger } from '#platform/process';
import { SigningProxyClient } from '#platform/signer';
import { ChangeModeHandler } from './change-mode.handler';
import { ModeController } from './http/mode.controller';
import { ModeMetrics } from './mode.metrics';
import { ModeRecorder } from './mode-recorder';
import { ModeStore } from './mode-store';
import { ModeWatch } from './mode-watch';
import { ReadOnlyHold } from './read-only-hold';
import { RestoredStore } from './restored-store';

/** The mode and its changes. Needs EventStore, Database, Registry and SigningProxyClient from global modules. */
@Module({})
export class ModesModule implements OnModuleInit, OnModuleDestroy {
  constructor(
    @Inject(ModeWatch) private readonly watch: ModeWatch,
    @Inject(ModeRecorder) private readonly recorder: ModeRecorder,
    @Inject(RestoredStore) private readonly restored: RestoredStore,
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(SigningProxyClient) private readonly proxy: SigningProxyClient,
  ) {}

  static register({ logger }: { logger: Logger }): DynamicModule {
    return {
      module: ModesModule,
      imports: [CqrsModule],
      controllers: [ModeController],
      providers: [
        ModeStore,
        ModeWatch,
        ModeRecorder,
        ReadOnlyHold,
        ModeMetrics,
        {
          provide: RestoredStore,
          useFactory: (modes: ModeStore, watch: ModeWatch) => new RestoredStore(modes, watch, logger),
          inject: [ModeStore, ModeWatch],
        },
        ChangeModeHandler,
      ],
      exports: [ModeWatch, ReadOnlyHold, RestoredStore],
    };
  }

  /** Runs before the first keys register themselves, which some modes forbid. */
  async onModuleInit(): Promise<void> {
    await this.recorder.readChain();
    await this.watch.start();
    this.watch.onLook(() => void this.recorder.record());
    void this.recorder.record();
    void this.restored.look(
      () => this.proxy.marks(),
      () => this.store.heads(),
    );
  }

  async onModuleDestroy(): Promise<void> {
    await this.restored.close();
    await this.watch.close();
    await this.recorder.close();
  }
}
