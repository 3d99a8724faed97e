import { type DynamicModule, Inject, Module, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { Database, DataSource, DEFAULT_LIMITS, EventStore } from '#platform/event-store';
import { type Logger, type Registry } from '#platform/process';
import { SigningProxyClient } from '#platform/signer';
import { ChangeModeHandler } from './change-mode.handler';
import { ModeController } from './http/mode.controller';
import { ModeMetrics } from './mode.metrics';
import { ModeRecorder } from './mode-recorder';
import { ModeStore } from './mode-store';
import { ModeWatch } from './mode-watch';
import { ReadOnlyHold } from './read-only-hold';
import { RestoredStore } from './restored-store';

/** Who may write now, and who says so. Needs EventStore, DataSource and SigningProxyClient from global modules. */
@Module({})
export class ModesModule implements OnModuleInit, OnModuleDestroy {
  constructor(
    @Inject(ModeWatch) private readonly watch: ModeWatch,
    @Inject(ModeRecorder) private readonly recorder: ModeRecorder,
    @Inject(RestoredStore) private readonly restored: RestoredStore,
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(SigningProxyClient) private readonly proxy: SigningProxyClient,
  ) {}

  static register({ registry, logger }: { registry: Registry; logger: Logger }): DynamicModule {
    return {
      module: ModesModule,
      imports: [CqrsModule],
      controllers: [ModeController],
      providers: [
        {
          provide: ModeStore,
          useFactory: (dataSource: DataSource) =>
            new ModeStore(new Database(dataSource, DEFAULT_LIMITS.storeTimeoutMs)),
          inject: [DataSource],
        },
        { provide: ModeWatch, useFactory: (modes: ModeStore) => new ModeWatch(modes), inject: [ModeStore] },
        {
          provide: ModeRecorder,
          useFactory: (modes: ModeStore, events: EventStore, watch: ModeWatch) =>
            new ModeRecorder(modes, events, () => watch.current),
          inject: [ModeStore, EventStore, ModeWatch],
        },
        {
          provide: RestoredStore,
          useFactory: (modes: ModeStore, watch: ModeWatch) => new RestoredStore(modes, watch, logger),
          inject: [ModeStore, ModeWatch],
        },
        {
          provide: ReadOnlyHold,
          useFactory: (modes: ModeStore, watch: ModeWatch) => new ReadOnlyHold(modes, watch),
          inject: [ModeStore, ModeWatch],
        },
        {
          provide: ModeMetrics,
          useFactory: (watch: ModeWatch, recorder: ModeRecorder) =>
            new ModeMetrics(registry, watch, recorder),
          inject: [ModeWatch, ModeRecorder],
        },
        ChangeModeHandler,
      ],
      exports: [ModeWatch, ReadOnlyHold, RestoredStore],
    };
  }

  /** Before the first keys register themselves, which they do not in every mode. */
  async onModuleInit(): Promise<void> {
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
